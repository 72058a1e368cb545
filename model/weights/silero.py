#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the weights file of the speech detector out of Silero VAD (MIT).

  model/weights/silero.py --out FILE [--package PACKAGE.tgz | --onnx silero_vad_v6.onnx]

The ONNX file comes from the npm package @ricky0123/vad-web, which `npm pack` fetches unless it is
given. Only the branch for 16 kHz is taken. The file made: magic, version, which network, number of
floats, a hash of them (FNV-1a, 64 bits), then the floats, all little-endian; model/voice.c reads it
and says how the floats lie.
"""
import argparse
import hashlib
import pathlib
import struct
import subprocess
import sys
import tarfile
import tempfile

PACKAGE = "@ricky0123/vad-web@0.0.31"
MEMBER = "package/dist/silero_vad_v6.onnx"
ONNX_SHA256 = "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3"
MAGIC, VERSION, NETWORK = b"VARVEWTS", 1, 0x36444156  # "VAD6"
BRANCH = "If_0_then_branch__Inline_0__"

# Numbers of fields in onnx.proto: of the model, a graph, a node, an attribute, a tensor.
MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_TENSOR = 1, 5
NODE_OUTPUT, NODE_ATTRIBUTE = 2, 5
ATTRIBUTE_TENSOR, ATTRIBUTE_GRAPH = 5, 6
TENSOR_DIMS, TENSOR_TYPE, TENSOR_NAME, TENSOR_RAW = 1, 2, 8, 9
FLOAT = 1


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of a protobuf message: integers, or bytes for everything else."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind)
            if kind == 2:
                size, at = varint(data, at)
            if size is None or at + size > len(data):
                raise SystemExit("silero: the ONNX file is damaged")
            value, at = data[at:at + size], at + size
        yield key >> 3, value


def tensor(data):
    dims, kind, name, raw = [], 0, "", b""
    for number, value in fields(data):
        if number == TENSOR_DIMS and isinstance(value, int):
            dims.append(value)
        elif number == TENSOR_DIMS:
            at = 0
            while at < len(value):
                dim, at = varint(value, at)
                dims.append(dim)
        elif number == TENSOR_TYPE:
            kind = value
        elif number == TENSOR_NAME:
            name = value.decode()
        elif number == TENSOR_RAW:
            raw = value
    return name, dims, kind, raw


def constants(graph, found):
    """Name of the node's output -> (shape, floats), through all the graphs inside."""
    for number, node in fields(graph):
        if number != GRAPH_NODE:
            continue
        output, tensors = "", []
        for n, value in fields(node):
            if n == NODE_OUTPUT:
                output = output or value.decode()
            elif n == NODE_ATTRIBUTE:
                for m, inner in fields(value):
                    if m == ATTRIBUTE_GRAPH:
                        constants(inner, found)
                    elif m == ATTRIBUTE_TENSOR:
                        tensors.append(inner)
        for data in tensors:
            _, dims, kind, raw = tensor(data)
            if kind == FLOAT and len(raw) % 4 == 0:
                found[output] = (dims, struct.unpack(f"<{len(raw) // 4}f", raw))


def take(found, name, *shape):
    dims, values = found.get(BRANCH + name, (None, ()))
    if dims is None or [d for d in dims if d != 1] != [d for d in shape if d != 1]:
        raise SystemExit(f"silero: {name} is not {shape} but {dims}")
    return values


def by_tap(values, outputs, inputs):
    """[output][input][3] to [output][3][input], so that a convolution is one product."""
    return [values[(o * inputs + i) * 3 + tap]
            for o in range(outputs) for tap in range(3) for i in range(inputs)]


def network(onnx):
    found = {}
    for number, value in fields(onnx):
        if number == MODEL_GRAPH:
            constants(value, found)
    floats = list(take(found, "stft.forward_basis_buffer", 258, 1, 256))
    for layer, (outputs, inputs) in enumerate(((128, 129), (64, 128), (64, 64), (128, 64))):
        name = f"encoder.{layer}.reparam_conv."
        floats += by_tap(take(found, name + "weight", outputs, inputs, 3), outputs, inputs)
        floats += take(found, name + "bias", outputs)
    of_input = take(found, "decoder.rnn.weight_ih", 512, 128)
    of_state = take(found, "decoder.rnn.weight_hh", 512, 128)
    for row in range(512):
        floats += of_input[row * 128:row * 128 + 128] + of_state[row * 128:row * 128 + 128]
    floats += map(sum, zip(take(found, "decoder.rnn.bias_ih", 512),
                           take(found, "decoder.rnn.bias_hh", 512)))
    floats += take(found, "decoder.decoder.2.weight", 1, 128, 1)
    floats += take(found, "decoder.decoder.2.bias", 1)
    return struct.pack(f"<{len(floats)}f", *floats)


def fnv1a(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return value


def read_onnx(args):
    if args.onnx:
        return args.onnx.read_bytes()
    with tempfile.TemporaryDirectory() as tmp:
        package = args.package
        if not package:
            out = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=tmp, check=True,
                                 stdout=subprocess.PIPE).stdout.decode().split()
            package = pathlib.Path(tmp) / out[-1]
        with tarfile.open(package) as tar:
            return tar.extractfile(MEMBER).read()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--package", type=pathlib.Path)
    parser.add_argument("--onnx", type=pathlib.Path)
    args = parser.parse_args()
    onnx = read_onnx(args)
    if hashlib.sha256(onnx).hexdigest() != ONNX_SHA256:
        raise SystemExit("silero: this is not the ONNX file that was tested "
                         f"(SHA-256 {hashlib.sha256(onnx).hexdigest()})")
    floats = network(onnx)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(MAGIC + struct.pack("<IIIIQ", VERSION, NETWORK, len(floats) // 4, 0,
                                             fnv1a(floats)) + floats)
    print(f"{args.out}: {len(floats) // 4} floats of Silero VAD (MIT)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
