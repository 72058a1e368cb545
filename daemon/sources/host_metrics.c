/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: one pread a file, numbers picked out by hand (no stdio, no allocation once warm).
 * Failure: a file that cannot be opened or read yields no metric and is tried again at the next
 * rescan, a minute later; devices come and go the same way. Sizes: at most DEVICES disks,
 * interfaces and sensors; machines with more get the first ones in name order of the kernel.
 */
#include "daemon/sources/host_metrics.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

#define DEVICES 24
#define TEMPERATURES 16
#define FILE_MAX (64u << 10)
#define RESCAN_US (60 * US_PER_SECOND)

enum {
    FILE_STAT,
    FILE_MEMINFO,
    FILE_LOADAVG,
    FILE_PRESSURE_CPU,
    FILE_PRESSURE_MEMORY,
    FILE_PRESSURE_IO,
    FILE_DISKSTATS,
    FILE_NETDEV,
    FILES
};

static const char *const file_paths[FILES] = {
    "/proc/stat",         "/proc/meminfo",         "/proc/loadavg",
    "/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io",
    "/proc/diskstats",    "/proc/net/dev"};

#define DEVICE_VALUES 3

struct device {
    char name[32];
    double last[DEVICE_VALUES]; /* counters of the sample before */
    bool seen;                  /* `last` is set */
};

struct temperature {
    char name[48];
    int fd;
};

struct host_metrics {
    char root[200];
    int fds[FILES];
    struct device disks[DEVICES], interfaces[DEVICES];
    unsigned disk_count, interface_count;
    struct temperature temperatures[TEMPERATURES];
    unsigned temperature_count;
    double cpu_last[8], forks_last;
    bool cpu_seen;
    int64_t last_mono, scanned;
    char text[FILE_MAX];
    void (*emit)(void *arg, const char *name, double value);
    void *arg;
};

static int open_under(const struct host_metrics *h, const char *path)
{
    char full[512];
    snprintf(full, sizeof(full), "%s%s", h->root, path);
    return open(full, O_RDONLY | O_CLOEXEC);
}

static void close_temperatures(struct host_metrics *h)
{
    for (unsigned i = 0; i < h->temperature_count; i++)
        close(h->temperatures[i].fd);
    h->temperature_count = 0;
}

/* Reads a one-line file into out, without its newline; false when there is none. */
static bool read_line(const struct host_metrics *h, const char *path, char *out, size_t size)
{
    int fd = open_under(h, path);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, out, size - 1);
    close(fd);
    if (n <= 0)
        return false;
    out[n] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return true;
}

static void add_temperature(struct host_metrics *h, const char *chip, const char *path, int index)
{
    if (h->temperature_count == TEMPERATURES)
        return;
    struct temperature *t = &h->temperatures[h->temperature_count];
    t->fd = open_under(h, path);
    if (t->fd < 0)
        return;
    snprintf(t->name, sizeof(t->name), "temperature.%.24s.%d", chip, index);
    for (char *c = t->name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '.')
            *c = '_';
    h->temperature_count++;
}

static void scan_temperatures(struct host_metrics *h)
{
    close_temperatures(h);
    for (int chip = 0; chip < 32; chip++) {
        char path[128], name[64];
        snprintf(path, sizeof(path), "/sys/class/hwmon/hwmon%d/name", chip);
        if (!read_line(h, path, name, sizeof(name)))
            continue;
        for (int i = 1; i <= 8; i++) {
            snprintf(path, sizeof(path), "/sys/class/hwmon/hwmon%d/temp%d_input", chip, i);
            add_temperature(h, name, path, i);
        }
    }
    for (int zone = 0; zone < 16 && h->temperature_count == 0; zone++) {
        char path[128], name[64];
        snprintf(path, sizeof(path), "/sys/class/thermal/thermal_zone%d/type", zone);
        if (!read_line(h, path, name, sizeof(name)))
            continue;
        snprintf(path, sizeof(path), "/sys/class/thermal/thermal_zone%d/temp", zone);
        add_temperature(h, name, path, zone);
    }
}

static void rescan(struct host_metrics *h)
{
    for (int i = 0; i < FILES; i++)
        if (h->fds[i] < 0)
            h->fds[i] = open_under(h, file_paths[i]);
    scan_temperatures(h);
}

int host_metrics_new(const char *root, struct host_metrics **ret)
{
    struct host_metrics *h = mem_calloc(1, sizeof(*h));
    if (!h)
        return ERR_NOMEM;
    snprintf(h->root, sizeof(h->root), "%s", root);
    for (int i = 0; i < FILES; i++)
        h->fds[i] = -1;
    h->scanned = INT64_MIN;
    *ret = h;
    return 0;
}

void host_metrics_free(struct host_metrics *h)
{
    if (!h)
        return;
    for (int i = 0; i < FILES; i++)
        if (h->fds[i] >= 0)
            close(h->fds[i]);
    close_temperatures(h);
    mem_free(h);
}

/* The file's present text, NUL-terminated, or NULL. */
static char *slurp(struct host_metrics *h, int file)
{
    if (h->fds[file] < 0)
        return NULL;
    size_t size = 0;
    ssize_t n;
    while (size < FILE_MAX - 1 &&
           (n = pread(h->fds[file], h->text + size, FILE_MAX - 1 - size, (off_t)size)) > 0)
        size += (size_t)n;
    if (size == 0) {
        close(h->fds[file]);
        h->fds[file] = -1;
        return NULL;
    }
    h->text[size] = '\0';
    return h->text;
}

/* The number behind `key`, at the start of a line or of the text; NAN when it is not there. */
static double number_after(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = text; (p = strstr(p, key)); p += n)
        if (p == text || p[-1] == '\n')
            return strtod(p + n, NULL);
    return NAN;
}

static void emit(struct host_metrics *h, const char *name, double value)
{
    if (isfinite(value))
        h->emit(h->arg, name, value);
}

static void emit_device(struct host_metrics *h, const char *group, const char *device,
                        const char *what, double value)
{
    char name[96];
    snprintf(name, sizeof(name), "%s.%s.%s", group, device, what);
    emit(h, name, fmax(0, value)); /* a device that came back counts from 0 again */
}

static void sample_cpu(struct host_metrics *h, double seconds)
{
    const char *text = slurp(h, FILE_STAT);
    if (!text || strncmp(text, "cpu ", 4) != 0)
        return;
    /* user nice system idle iowait irq softirq steal, in ticks since boot */
    double now[8] = {0}, part[8], all = 0;
    const char *p = text + 4;
    for (int i = 0; i < 8; i++) {
        char *end;
        now[i] = strtod(p, &end);
        part[i] = fmax(0, now[i] - h->cpu_last[i]);
        all += part[i];
        p = end;
    }
    double forks = number_after(text, "processes ");
    if (h->cpu_seen && all > 0) {
        emit(h, "cpu.busy", 100 * (all - part[3] - part[4]) / all);
        emit(h, "cpu.user", 100 * (part[0] + part[1]) / all);
        emit(h, "cpu.system", 100 * (part[2] + part[5] + part[6]) / all);
        emit(h, "cpu.iowait", 100 * part[4] / all);
        emit(h, "cpu.steal", 100 * part[7] / all);
        emit(h, "processes.started", (forks - h->forks_last) / seconds);
    }
    emit(h, "processes.running", number_after(text, "procs_running "));
    emit(h, "processes.blocked", number_after(text, "procs_blocked "));
    memcpy(h->cpu_last, now, sizeof(now));
    h->forks_last = forks;
    h->cpu_seen = true;
}

static void sample_memory(struct host_metrics *h)
{
    const char *text = slurp(h, FILE_MEMINFO);
    if (!text)
        return;
    double total = number_after(text, "MemTotal:");
    double available = number_after(text, "MemAvailable:");
    emit(h, "memory.used", 100 * (total - available) / total);
    emit(h, "memory.available_mib", available / 1024);
    emit(h, "memory.dirty_mib", number_after(text, "Dirty:") / 1024);
    double swap = number_after(text, "SwapTotal:");
    if (swap > 0)
        emit(h, "swap.used", 100 * (swap - number_after(text, "SwapFree:")) / swap);
}

static void sample_load(struct host_metrics *h)
{
    const char *text = slurp(h, FILE_LOADAVG);
    if (text)
        emit(h, "load.1min", strtod(text, NULL));
    static const char *const names[] = {"pressure.cpu", "pressure.memory", "pressure.io"};
    for (int i = 0; i < 3; i++) {
        text = slurp(h, FILE_PRESSURE_CPU + i);
        const char *some = text ? strstr(text, "some avg10=") : NULL;
        if (some)
            emit(h, names[i], strtod(some + 11, NULL));
    }
}

/* The device's slot, made when it is new; NULL when the table is full. */
static struct device *find_device(struct device *table, unsigned *count, const char *name, size_t n)
{
    if (n == 0 || n >= sizeof(table->name))
        return NULL;
    for (unsigned i = 0; i < *count; i++)
        if (strncmp(table[i].name, name, n) == 0 && table[i].name[n] == '\0')
            return &table[i];
    if (*count == DEVICES)
        return NULL;
    struct device *d = &table[(*count)++];
    *d = (struct device){.seen = false};
    memcpy(d->name, name, n);
    return d;
}

/* Whole disks only: partitions and loop or RAM devices repeat or mean nothing. */
static bool is_disk(const char *name, size_t n)
{
    if (strncmp(name, "loop", 4) == 0 || strncmp(name, "ram", 3) == 0 ||
        strncmp(name, "zram", 4) == 0)
        return false;
    if (strncmp(name, "nvme", 4) == 0 || strncmp(name, "mmcblk", 6) == 0)
        return memchr(name + 4, 'p', n - 4) == NULL;
    if (strncmp(name, "sd", 2) == 0 || strncmp(name, "vd", 2) == 0 ||
        strncmp(name, "xvd", 3) == 0 || strncmp(name, "hd", 2) == 0)
        return !isdigit((unsigned char)name[n - 1]);
    return strncmp(name, "md", 2) == 0;
}

static char *next_line(char *line)
{
    char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

static void sample_disks(struct host_metrics *h, double seconds)
{
    char *line = slurp(h, FILE_DISKSTATS);
    for (; line && *line; line = next_line(line)) {
        char *p = line;
        strtol(p, &p, 10);
        strtol(p, &p, 10);
        while (*p == ' ')
            p++;
        size_t n = strcspn(p, " \n");
        if (n < 2 || !is_disk(p, n))
            continue;
        struct device *d = find_device(h->disks, &h->disk_count, p, n);
        if (!d)
            continue;
        double v[10];
        p += n;
        for (int i = 0; i < 10; i++)
            v[i] = strtod(p, &p);
        double now[DEVICE_VALUES] = {v[2], v[6], v[9]}; /* sectors read, written, ms busy */
        if (d->seen) {
            emit_device(h, "disk", d->name, "read_kib", (now[0] - d->last[0]) / 2 / seconds);
            emit_device(h, "disk", d->name, "write_kib", (now[1] - d->last[1]) / 2 / seconds);
            emit_device(h, "disk", d->name, "busy",
                        fmin(100, (now[2] - d->last[2]) / 10 / seconds));
        }
        memcpy(d->last, now, sizeof(now));
        d->seen = true;
    }
}

static void sample_network(struct host_metrics *h, double seconds)
{
    char *line = slurp(h, FILE_NETDEV);
    for (; line && *line; line = next_line(line)) {
        char *colon = strchr(line, ':');
        if (!colon || colon > line + strcspn(line, "\n"))
            continue;
        char *name = line + strspn(line, " ");
        size_t n = (size_t)(colon - name);
        if (n == 2 && memcmp(name, "lo", 2) == 0)
            continue;
        struct device *d = find_device(h->interfaces, &h->interface_count, name, n);
        if (!d)
            continue;
        double v[11];
        char *p = colon + 1;
        for (int i = 0; i < 11; i++)
            v[i] = strtod(p, &p);
        double now[DEVICE_VALUES] = {v[0], v[8], v[2] + v[3] + v[10]}; /* received, sent, faults */
        if (d->seen) {
            emit_device(h, "network", d->name, "received_kib",
                        (now[0] - d->last[0]) / 1024 / seconds);
            emit_device(h, "network", d->name, "sent_kib", (now[1] - d->last[1]) / 1024 / seconds);
            emit_device(h, "network", d->name, "errors", (now[2] - d->last[2]) / seconds);
        }
        memcpy(d->last, now, sizeof(now));
        d->seen = true;
    }
}

static void sample_temperatures(struct host_metrics *h)
{
    for (unsigned i = 0; i < h->temperature_count; i++) {
        char text[32];
        ssize_t n = pread(h->temperatures[i].fd, text, sizeof(text) - 1, 0);
        if (n <= 0)
            continue;
        text[n] = '\0';
        emit(h, h->temperatures[i].name, strtod(text, NULL) / 1000);
    }
}

void host_metrics_sample(struct host_metrics *h, int64_t mono,
                         void (*emit_cb)(void *arg, const char *name, double value), void *arg)
{
    h->emit = emit_cb;
    h->arg = arg;
    if (h->scanned == INT64_MIN || mono - h->scanned >= RESCAN_US) {
        rescan(h);
        h->scanned = mono;
    }
    double seconds = (double)(mono - h->last_mono) / US_PER_SECOND;
    if (seconds <= 0)
        seconds = 1;
    sample_cpu(h, seconds);
    sample_memory(h);
    sample_load(h);
    sample_disks(h, seconds);
    sample_network(h, seconds);
    sample_temperatures(h);
    h->last_mono = mono;
}
