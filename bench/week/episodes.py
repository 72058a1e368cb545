# SPDX-License-Identifier: Apache-2.0
"""The kinds of things that happen, as data: episodes, rare events, facts, repeats, secrets.

A kind's `steps` are in time order, `at` and `lasts` in minutes. A step is a line (`text`, `words` that
only it holds) or a sensor's change (`channel`, `shape`, `amount`). `name` completes "when did …?",
"what came before …?"; where it names no rare word the question adds the date. `happening` is the kind
in general words, told by the step number `shown_by`.
"""


class Episode:
    def __init__(self, kind, day, time):
        self.kind, self.day, self.time = kind, day, time
        self.steps = []


def line(at, stream, text, words, name, once=True):
    return {"at": at, "stream": stream, "text": text, "words": words, "name": name, "once": once}


def sensor(at, lasts, stream, channel, shape, amount, name):
    return {"at": at, "lasts": lasts, "stream": stream, "channel": channel, "shape": shape,
            "amount": amount, "name": name}


class Pump:
    topic = "pump"
    happening, shown_by = "a protection relay stopped the motor of pump 1", 2

    @staticmethod
    def steps(r, word, e):
        part, relay = word(), word()
        rms = f"{r.uniform(4.2, 6.9):.2f}"
        return [sensor(0, 38, "pump", "vibration", "ramp", 4.5, "the rise of the pump's vibration"),
                line(36, "home", f"pump 1: bearing warning, part {part}, rms {rms} mm/s",
                     [part], f"the bearing warning for part {part}"),
                line(41, "syslog", f"plc: protection relay {relay} stopped motor of pump 1",
                     [relay], f"relay {relay} stopping the motor"),
                sensor(41, 26, "power", "pump_w", "set", 3, "the drop of pump_w")]

    @staticmethod
    def near(r, word):
        return [("home", f"pump 2: bearing warning cleared, part {word()}, rms 1.31 mm/s"),
                ("syslog", f"plc: protection relay {word()} self test of pump 1 passed")]


class Disk:
    topic = "disk and the backup"
    happening, shown_by = "a nightly job failed with no space left on the device", 1

    @staticmethod
    def steps(r, word, e):
        share, job, owner = word(), word(), word()
        size = r.randrange(11, 90)
        return [sensor(0, 95, "server", "disk_used", "ramp", 34, "the filling of the disk"),
                line(88, "backup", f"job nightly-{job} failed: no space left on device /srv/{share}",
                     [job], f"the failure of job nightly-{job}"),
                line(103, "app", f"WARN housekeeping {owner} removed {size} GiB from /srv/{share}/spool",
                     [owner], f"housekeeping {owner}")]

    @staticmethod
    def near(r, word):
        return [("backup", f"job nightly-{word()} finished: 0 errors, device /srv/{word()}"),
                ("backup", f"job nightly-{word()} failed: snapshot busy on device /srv/{word()}"),
                ("app", f"INFO housekeeping {word()} found nothing to remove from /srv/{word()}/spool")]


class Door:
    topic = "cellar"
    happening, shown_by = "the door cellar-north was opened and not closed again", 0

    @staticmethod
    def steps(r, word, e):
        badge, guard = word(), word()
        return [line(0, "home", f"door cellar-north opened with badge {badge}, not closed again",
                     [badge], f"the cellar door being opened with badge {badge}"),
                sensor(3, 100, "climate", "cellar_temp", "ramp", -6.5, "the fall of cellar_temp"),
                line(74, "home", f"frost guard {guard} switched the heating cable on",
                     [guard], f"frost guard {guard} switching on")]

    @staticmethod
    def near(r, word):
        return [("home", f"door cellar-north opened with badge {word()}, closed after 9 s"),
                ("home", f"door cellar-south opened with badge {word()}, closed after 12 s"),
                ("home", f"frost guard {word()} tested the heating cable")]


class Deploy:
    topic = "orders-api deploy"
    happening, shown_by = "there was a rollback of orders-api", 3

    @staticmethod
    def steps(r, word, e):
        build, culprit = word(), word()
        a, b = r.randrange(2, 9), r.randrange(10, 99)
        p99 = r.randrange(1400, 9800)
        return [line(0, "app", f"INFO deploy of orders-api {a}.{b}.0 build {build} finished",
                     [build], f"the deploy of build {build}"),
                sensor(2, 34, "network", "latency_ms", "add", 160, "the jump of latency_ms"),
                line(11, "web", f'upstream orders-api slow: p99 {p99} ms, handler {culprit}',
                     [culprit], f"the slow handler {culprit}"),
                line(33, "app", f"WARN rollback of orders-api {a}.{b}.0 to {a}.{b - 1}.3, reason p99 {p99} ms",
                     ["rollback", f"{a}.{b}.0"], f"the rollback of orders-api {a}.{b}.0")]

    @staticmethod
    def near(r, word):
        return [("app", f"INFO deploy of catalog {r.randrange(2, 9)}.{r.randrange(10, 99)}.0 build {word()} finished"),
                ("web", f"upstream catalog healthy: p99 {r.randrange(30, 90)} ms, handler {word()}")]


class Intruder:
    topic = "ssh login"
    happening, shown_by = "a password from 203.0.113.77 was accepted", -3

    @staticmethod
    def steps(r, word, e):
        user, table = word(), word()
        out = [line(0.2 * k, "sshd", f"sshd[{r.getrandbits(15)}]: Failed password for {user} from 203.0.113."
                    f"{r.randrange(2, 250)} port {r.getrandbits(16)} ssh2", [user], "", False)
               for k in range(r.randrange(6, 14))]
        out += [line(6, "sshd", f"sshd[{r.getrandbits(15)}]: Accepted password for {user} from 203.0.113.77 port 4022 ssh2",
                     ["Accepted", user], f"the accepted password of {user}"),
                line(13, "app", f"WARN export of table {table} with 48211 rows by session from 203.0.113.77",
                     [table], f"the export of table {table}"),
                sensor(13, 22, "network", "tx_kbs", "add", 5200, "the jump of tx_kbs")]
        return out

    @staticmethod
    def near(r, word):
        return [("sshd", f"sshd[{r.getrandbits(15)}]: Failed password for {word()} from 198.51.100.{r.randrange(2, 250)} port 50112 ssh2"),
                ("app", f"INFO export of table {word()} with {r.randrange(3, 90)} rows by session from 10.0.0.7")]


class Outage:
    topic = "mains power"
    happening, shown_by = "a unit went on battery because mains was lost", 1

    @staticmethod
    def steps(r, word, e):
        ups, load = word(), word()
        return [sensor(0, 18, "power", "house_w", "set", 4, "the drop of house_w"),
                line(0.3, "syslog", f"upsd: unit {ups} on battery, mains lost",
                     [ups], f"unit {ups} going on battery"),
                line(4, "home", f"load shedding switched off circuit {load}",
                     [load], f"the switching off of circuit {load}"),
                line(19, "syslog", f"upsd: unit {ups} on line, battery {r.randrange(52, 88)} percent",
                     ["line", ups], f"unit {ups} coming back on line")]

    @staticmethod
    def near(r, word):
        return [("syslog", f"upsd: unit {word()} battery test passed"),
                ("home", f"load shedding armed for circuit {word()}")]


class Link:
    topic = "network link"
    happening, shown_by = "the link of eth1 went down", 0

    @staticmethod
    def steps(r, word, e):
        switch, job = word(), word()
        return [line(0, "syslog", f"kernel: eth1: link down, peer switch {switch}",
                     ["down", switch], f"the link down at switch {switch}"),
                sensor(0.2, 27, "network", "rx_kbs", "set", 1, "the silence of rx_kbs"),
                line(8, "backup", f"job offsite-{job}: connection reset, try 3 of 5",
                     [job], f"the connection reset of job offsite-{job}"),
                line(27, "syslog", f"kernel: eth1: link up, 1000 Mbit/s, peer switch {switch}",
                     ["up", switch], f"the link up at switch {switch}")]

    @staticmethod
    def near(r, word):
        return [("syslog", f"kernel: eth2: link up, 1000 Mbit/s, peer switch {word()}"),
                ("backup", f"job offsite-{word()}: connection closed after 412 MiB")]


class HeatPump:
    topic = "heat pump"
    happening, shown_by = "the heat pump reported an error", 1

    @staticmethod
    def steps(r, word, e):
        code, person = word(), word()
        return [sensor(0, 85, "power", "heatpump_w", "set", 12, "the stop of heatpump_w"),
                line(2, "home", f"heat pump error E{r.randrange(10, 99)}, sensor {code} out of range",
                     [code], f"the heat pump error of sensor {code}"),
                sensor(12, 80, "climate", "livingroom_temp", "ramp", -4.2, "the fall of livingroom_temp"),
                line(84, "home", f"heat pump restarted by technician {person}",
                     [person], f"the restart by technician {person}")]

    @staticmethod
    def near(r, word):
        return [("home", f"heat pump notice, sensor {word()} recalibrated"),
                ("home", f"heat pump inspected by technician {word()}")]


class Memory:
    topic = "server memory"
    happening, shown_by = "the kernel killed a process out of memory", 1

    @staticmethod
    def steps(r, word, e):
        process, queue = word(), word()
        return [sensor(0, 120, "server", "mem", "ramp", 38, "the growth of mem"),
                line(119, "syslog", f"kernel: Out of memory: Killed process {r.getrandbits(15)} ({process})",
                     [process], f"the kill of process {process}"),
                line(121, "app", f"ERROR consumer of queue {queue} lost, 1 worker missing",
                     [queue], f"the loss of the consumer of queue {queue}")]

    @staticmethod
    def near(r, word):
        return [("syslog", f"systemd[1]: {word()}.service: memory pressure relieved"),
                ("app", f"INFO consumer of queue {word()} rebalanced, 0 workers missing")]


class Leak:
    topic = "water leak"
    happening, shown_by = "a leak sensor was wet", 1

    @staticmethod
    def steps(r, word, e):
        place, valve = word(), word()
        return [sensor(0, 70, "climate", "cellar_humidity", "ramp", 24, "the rise of cellar_humidity"),
                line(31, "home", f"leak sensor {place} is wet",
                     [place], f"leak sensor {place} getting wet"),
                line(33, "home", f"main water valve {valve} closed by automation",
                     [valve], f"the closing of water valve {valve}"),
                sensor(33, 40, "pump", "rpm", "add", 620, "the jump of rpm")]

    @staticmethod
    def near(r, word):
        return [("home", f"leak sensor {word()} is dry, battery 81 percent"),
                ("home", f"main water valve {word()} exercised by automation")]


class Certificate:
    topic = "certificate"
    happening, shown_by = "a TLS certificate had expired", 0

    @staticmethod
    def steps(r, word, e):
        site, caller = word(), word()
        return [line(0, "web", f"TLS certificate for {site}.example has expired",
                     [site], f"the expiry of the certificate for {site}.example"),
                line(6, "app", f"ERROR partner {caller} refused the handshake, giving up after 4 tries",
                     [caller], f"partner {caller} refusing the handshake"),
                sensor(6, 44, "server", "cpu", "add", 55, "the jump of cpu"),
                line(50, "syslog", f"certwatch: renewed certificate for {site}.example",
                     ["renewed", site], f"the renewal of the certificate for {site}.example")]

    @staticmethod
    def near(r, word):
        return [("web", f"TLS certificate for {word()}.example has 41 days left"),
                ("syslog", f"certwatch: checked certificate for {word()}.example")]


class Freezer:
    topic = "freezer"
    happening, shown_by = "the freezer alarm said too warm", 3

    @staticmethod
    def steps(r, word, e):
        fuse, alarm = word(), word()
        return [line(0, "syslog", f"plc: fuse {fuse} of the freezer circuit tripped",
                     [fuse], f"fuse {fuse} tripping"),
                sensor(0.2, 95, "power", "freezer_w", "set", 0, "the drop of freezer_w"),
                sensor(9, 110, "climate", "freezer_temp", "ramp", 12.5, "the rise of freezer_temp"),
                line(77, "home", f"freezer alarm {alarm}: too warm",
                     [alarm], f"freezer alarm {alarm}")]

    @staticmethod
    def near(r, word):
        return [("syslog", f"plc: fuse {word()} of the oven circuit replaced"),
                ("home", f"freezer alarm {word()}: test only")]


KINDS = [Pump, Disk, Door, Deploy, Intruder, Outage, Link, HeatPump, Memory, Leak, Certificate, Freezer]


# ---- rare events: stream, text, a question, the words that answer it ----

def parcel(r, word):
    firm, neighbour = word(), word()
    return "home", f"parcel from {firm} left with neighbour {neighbour}", \
        f"which neighbour took the parcel from {firm}?", [firm, neighbour]


def usb(r, word):
    device, serial = word(), r.randrange(10000, 99999)
    return "syslog", f"kernel: usb 2-1: new device {device} serial {serial}", \
        f"what serial did the usb device {device} have?", [device, str(serial)]


def sectors(r, word):
    drive, n = word(), r.randrange(3, 99)
    return "syslog", f"smartd: drive {drive} has {n} reallocated sectors", \
        f"how many reallocated sectors did drive {drive} have?", [drive, str(n)]


def sudo(r, word):
    user, group = word(), word()
    return "syslog", f"usermod: user {user} added to group {group}", \
        f"to which group was user {user} added?", [user, group]


def firmware(r, word):
    lock, v = word(), f"{r.randrange(1, 9)}.{r.randrange(10, 99)}"
    return "home", f"smart lock {lock} installed firmware {v}", \
        f"which firmware did smart lock {lock} install?", [lock, v]


def invoice(r, word):
    client, n = word(), r.randrange(10000, 99999)
    return "app", f"INFO billing sent invoice {n} to customer {client}", \
        f"which invoice was sent to customer {client}?", [client, str(n)]


def migration(r, word):
    table, column = word(), word()
    return "app", f"INFO migration added column {column} to table {table}", \
        f"which column was added to table {table}?", [table, column]


def key(r, word):
    user, host = word(), word()
    return "sshd", f"sshd[411]: host key of {host} changed, accepted by {user}", \
        f"who accepted the changed host key of {host}?", [host, user]


def tape(r, word):
    tape_id, vault = word(), word()
    return "backup", f"tape {tape_id} brought to vault {vault}", \
        f"to which vault was tape {tape_id} brought?", [tape_id, vault]


def bot(r, word):
    name, hits = word(), r.randrange(200, 9000)
    return "web", f"crawler {name} blocked after {hits} requests", \
        f"after how many requests was crawler {name} blocked?", [name, str(hits)]


RARE = [parcel, usb, sectors, sudo, firmware, invoice, migration, key, tape, bot]


# ---- facts that change: "{it}" is the subject, "{}" a value, in `changed` the old and the new one ----

def fact(stream, values, **texts):
    def make(r, word):
        subject = word()
        return {"stream": stream, "subject": subject, "values": values(r, word),
                **{key: text.replace("{it}", subject) for key, text in texts.items()}}
    return make


def versions(r, word):
    major = r.randrange(2, 9)
    return [f"{major}.{v}.{r.randrange(9)}" for v in r.sample(range(10, 60), 3)]


FACTS = [
    fact("home", lambda r, word: ["17.5", "19.0", "20.5", "21.0", "22.5"],
         first="thermostat in room {it}: setpoint is {} degrees",
         changed="thermostat in room {it}: setpoint changed from {} to {} degrees",
         again="thermostat in room {it}: setpoint still {} degrees",
         changes="when was the setpoint of room {it} changed to {}?",
         ask="what is the setpoint of the thermostat in room {it}{}?",
         asked="what was the setpoint of the thermostat in room {it} {}?"),
    fact("app", lambda r, word: [word() for _ in range(3)],
         first="INFO task {it} belongs to {}",
         changed="INFO task {it} handed over from {} to {}",
         again="INFO task {it} reviewed by its owner {}",
         changes="when was task {it} handed over to {}?",
         ask="who owns task {it}{}?",
         asked="who owned task {it} {}?"),
    fact("syslog", lambda r, word: [f"10.3.{r.randrange(200)}.{r.randrange(2, 250)}" for _ in range(3)],
         first="dnsmasq: host {it} has address {}",
         changed="dnsmasq: host {it} moved from address {} to {}",
         again="dnsmasq: host {it} renewed its address {}",
         changes="when did host {it} move to address {}?",
         ask="what is the address of host {it}{}?",
         asked="what was the address of host {it} {}?"),
    fact("app", versions,
         first="INFO service {it} runs version {}",
         changed="INFO service {it} upgraded from {} to {}",
         again="INFO service {it} restarted with version {}",
         changes="when was service {it} upgraded to {}?",
         ask="which version does service {it} run{}?",
         asked="which version did service {it} run {}?"),
    fact("backup", lambda r, word: ["01:10", "02:20", "03:35", "04:50", "05:15"],
         first="schedule: job weekly-{it} starts at {}",
         changed="schedule: job weekly-{it} moved from {} to {}",
         again="schedule: job weekly-{it} confirmed for {}",
         changes="when was job weekly-{it} moved to {}?",
         ask="at what time does job weekly-{it} start{}?",
         asked="at what time did job weekly-{it} start {}?"),
    fact("sshd", lambda r, word: ["reader", "operator", "admin", "auditor"],
         first="sshd[902]: account {it} has role {}",
         changed="sshd[902]: account {it} role changed from {} to {}",
         again="sshd[902]: account {it} logged in with role {}",
         changes="when did the role of account {it} change to {}?",
         ask="what role does account {it} have{}?",
         asked="what role did account {it} have {}?"),
]


# ---- repeated events: stream, text of the k-th, what is counted, the word that marks it ----

def failures(r, word):
    user = word()
    return "sshd", lambda k: f"sshd[{7000 + k}]: Failed password for {user} from 198.51.100.{9 + k} port {40000 + 7 * k} ssh2", \
        f"failed passwords for {user}", user


def timeouts(r, word):
    gateway = word()
    return "app", lambda k: f"ERROR gateway {gateway} timed out after {3000 + 11 * k} ms", \
        f"timeouts of gateway {gateway}", gateway


def rings(r, word):
    bell = word()
    return "home", lambda k: f"doorbell {bell} rang for {1 + k % 5} s", f"rings of doorbell {bell}", bell


def retries(r, word):
    disk = word()
    return "syslog", lambda k: f"kernel: ata{1 + k % 4}: link reset on drive {disk}", \
        f"link resets on drive {disk}", disk


def missing(r, word):
    page = word()
    return "web", lambda k: f'10.0.3.{2 + k} - - "GET /lost/{page} HTTP/1.1" 404 162 "curl/7.88.1" 0.001', \
        f"404 answers for /lost/{page}", page


REPEATS = [failures, timeouts, rings, retries, missing]


# ---- what is erased: stream, texts, a question, what to erase by, what must be gone ----

def visitor(r, word):
    name, company, door = word(), word(), r.randrange(100, 999)
    return "home", [f"visitor {name} of company {company} let in, code {door}451",
                    f"visitor {name} left, code {door}451 revoked"], \
        f"which company does visitor {name} work for?", name, [company, f"{door}451"]


def patient(r, word):
    name, drug = word(), word()
    return "app", [f"INFO patient {name} asked for a refill of {drug}",
                   f"INFO patient {name} confirmed the refill of {drug}"], \
        f"which refill did patient {name} ask for?", name, [drug]


def project(r, word):
    name, place = word(), word()
    return "backup", [f"archive of project {name} copied to {place}"], \
        f"where was the archive of project {name} copied to?", name, [place]


ERASED = [visitor, patient, project]
