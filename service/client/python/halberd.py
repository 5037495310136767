"""A client of Halberd in one file: copy it. Python 3.6 or newer, standard library only.

    import halberd
    board = halberd.connect()
    board.call("io.halberd.Gpio.Set", line="relay-pump", value=1)
    print(board.call("io.halberd.Gpio.Get", line="relay-pump")["value"])
    for event in board.watch("io.halberd.Gpio.Watch", lines=["button"]):
        print(event["line"], event["value"])

A refused call raises halberd.Refused. A watch takes the connection for itself: make another one for other calls. What ends
a call or a watch before its answer is there, as a time limit or a break, ends the connection: the next call would get it.
"""

import contextlib
import json
import os
import socket
import struct


class Refused(Exception):
    """The daemon's answer was an error: name, as io.halberd.Busy, and parameters, a dict."""

    def __init__(self, name, parameters):
        super().__init__("%s %s" % (name, json.dumps(parameters)))
        self.name, self.parameters = name, parameters


class Board:
    """One connection. Not for several threads at once."""

    def __init__(self, sock, packets):
        self._sock, self._packets, self._held = sock, packets, b""

    def call(self, method, **parameters):
        """Calls a method, waits, and returns its results as a dict."""
        message = self._message({"method": method, "parameters": parameters})
        with self._whole():
            self._sock.sendall(message)
            return self._receive()[0]

    def oneway(self, method, **parameters):
        """Calls a method that is never answered."""
        message = self._message({"method": method, "parameters": parameters, "oneway": True})
        with self._whole():
            self._sock.sendall(message)

    def watch(self, method, **parameters):
        """Yields the current state and then each change, until the daemon ends it."""
        message, more = self._message({"method": method, "parameters": parameters, "more": True}), True
        with self._whole():
            self._sock.sendall(message)
            while more:
                results, more = self._receive()
                yield results

    def close(self):
        self._sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @contextlib.contextmanager
    def _whole(self):
        try:
            yield
        except Refused:
            raise
        except BaseException:
            self.close()
            raise

    def _message(self, call):
        message = json.dumps(call).encode()
        return message if self._packets else message + b"\0"

    def _receive(self):
        reply = json.loads(self._packet() if self._packets else self._until_nul())
        if "error" in reply:
            raise Refused(reply["error"], reply.get("parameters", {}))
        return reply.get("parameters", {}), reply.get("continues", False)

    def _packet(self):
        packet = self._sock.recv(1 << 16)
        if not packet:
            raise ConnectionError("the daemon ended the connection")
        return packet

    def _until_nul(self):
        while b"\0" not in self._held:
            chunk = self._sock.recv(1 << 16)
            if not chunk:
                raise ConnectionError("the daemon ended the connection")
            self._held += chunk
        message, self._held = self._held.split(b"\0", 1)
        return message


def connect(address=None):
    """Connects to stream:PATH, stream:@NAME or seqpacket:@NAME; by default to where Halberd is.

    Anybody may take an abstract name that is free, so the server has to be root or the caller itself.
    """
    address = address or os.environ.get("HALBERD_ADDRESS")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    candidates = [address] if address else ["stream:/run/halberd/io.halberd"]
    if not address and runtime and runtime.startswith("/") and os.getuid() != 0:
        candidates.append("stream:%s/halberd/io.halberd" % runtime)
    if not address:
        candidates.append("stream:@halberd")
    for candidate in candidates:
        kind, _, name = candidate.partition(":")
        if kind not in ("stream", "seqpacket") or name[:1] not in ("@", "/"):
            raise ValueError("%s is no address: write it as stream:@halberd or stream:/run/halberd/io.halberd" % candidate)
        packets = kind == "seqpacket"
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET if packets else socket.SOCK_STREAM)
        try:
            sock.connect("\0" + name[1:] if name.startswith("@") else name)
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            continue
        _, uid, _ = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid not in (0, os.getuid()):
            sock.close()
            raise PermissionError("%s is served by uid %d" % (candidate, uid))
        return Board(sock, packets)
    raise ConnectionRefusedError("no daemon at " + ", ".join(candidates))
