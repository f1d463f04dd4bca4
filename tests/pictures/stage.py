"""What happens, really: programs in namespaces of their own, the packets on their loopback, the
kernel's list of sockets, and the system calls of a program. Nothing here draws."""
import errno
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time

SECONDS = 10  # longer than anything takes that happens at all
PORT = 9999
FLAGS = ((0x02, "SYN"), (0x01, "FIN"), (0x04, "RST"), (0x10, "ACK"))


def until(what, condition):
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"pictures: waited {SECONDS} s in vain: {what() if callable(what) else what}")
        time.sleep(0.005)


class Stage:
    """A folder with the programs. The caller is in the namespaces already (see play in make)."""

    def __init__(self, build):
        self.build = build
        self.folder = tempfile.mkdtemp(prefix="pictures")
        self.environment = {"PATH": f"{build}:{os.environ['PATH']}", "LC_ALL": "C"}
        for name in ("server1", "server2"):
            shutil.copy(build / name, self.folder)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        self.packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.packets.bind(("lo", 0x0800))
        self.packets.setblocking(False)
        self.running = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.running.values():
            process.kill()
            process.wait()
        shutil.rmtree(self.folder)

    def start(self, name, library=None, trace=None):
        """Starts server1 or server2; its output goes to the file NAME.out in the folder."""
        command = [f"./{name}"]
        if trace:
            setting = ["-E", f"LD_PRELOAD={library}"] if library else []
            command = ["strace", "-f", "-o", trace, "-e", "trace=bind,listen,setsockopt", *setting, *command]
        preload = {"LD_PRELOAD": str(library)} if library and not trace else {}
        environment = {**self.environment, **preload}
        with open(f"{self.folder}/{name}.out", "w") as out:
            self.running[name] = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=out,
                                                  stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def said(self, name):
        with open(f"{self.folder}/{name}.out") as out:
            return out.read()

    def until_said(self, name, words):
        until(lambda: f"{name} says '{words}', not '{self.said(name)}'", lambda: words in self.said(name))

    def stop(self, name):
        process = self.running.pop(name)
        process.terminate()
        process.wait()

    def sockets(self):
        """Every TCP socket: (state, local address, peer address, seconds of TIME_WAIT that are left)."""
        rows = subprocess.run(["ss", "-Htano"], check=True, capture_output=True, text=True).stdout.splitlines()
        names = {"ESTAB": "ESTABLISHED", "FIN-WAIT-1": "FIN_WAIT1", "FIN-WAIT-2": "FIN_WAIT2"}
        split = [row.split() for row in rows]
        timers = [re.search(r"timewait,(1min|\d+)", row) for row in rows]  # 59sec, or 1min
        seconds = [timer and int(timer.group(1).replace("1min", "60")) for timer in timers]
        return [(names.get(row[0], row[0].replace("-", "_")), row[3], row[4], left)
                for row, left in zip(split, seconds)]

    def state_of(self, connection, side, with_timer=False):
        """The state of one end of a connection, or 'no socket'; with how long it lasts, if that is known."""
        mine, other = connection if side == "client" else reversed(connection)
        return next((f"{state}, {seconds} s" if with_timer and state == "TIME_WAIT" else state
                     for state, local, peer, seconds in self.sockets()
                     if (local, peer) == (f"127.0.0.1:{mine}", f"127.0.0.1:{other}")), "no socket")

    def listens(self):
        return sorted(local for state, local, *_ in self.sockets() if state == "LISTEN")

    def captured(self):
        """The packets since the last call, as (source port, destination port, words)."""
        found = []
        while True:
            try:
                data, address = self.packets.recvfrom(65536)
            except BlockingIOError:
                return found
            if address[2] != socket.PACKET_HOST or data[9] != socket.IPPROTO_TCP:
                continue  # the loopback shows each packet twice: as it leaves, as it comes
            tcp = data[(data[0] & 15) * 4:]
            source, target = struct.unpack("!HH", tcp[:4])
            length = struct.unpack("!H", data[2:4])[0] - (data[0] & 15) * 4 - (tcp[12] >> 4) * 4
            words = " ".join(word for bit, word in FLAGS if tcp[13] & bit)
            found.append((source, target, f"{length} bytes" if length else words))


def bind_error(port):
    """The name of the error that a program meets that asks for the port without SO_REUSEADDR; None: it works."""
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as error:
            return errno.errorcode[error.errno]
    return None


CALL = re.compile(r"^\d+ +(bind|listen|setsockopt)\((.*)\) += (-?\d+)(?: (E[A-Z]+))?")


def calls(trace):
    """The calls about TCP sockets that strace has seen, as (call, result); sockets of AF_UNIX left out."""
    found = []
    with open(trace) as lines:
        for line in lines:
            match = CALL.match(line)
            if match is None or "AF_UNIX" in line:
                continue
            name, arguments, result, error = match.groups()
            if name == "bind":
                port = re.search(r"htons\((\d+)\)", arguments).group(1)
                shown = f"bind({port})"
            elif name == "listen":
                shown = "listen()"
            else:
                option = re.search(r"SO_REUSEADDR, \[(\d)\]", arguments)
                if option is None:
                    continue
                shown = f"SO_REUSEADDR = {option.group(1)}"
            found.append((shown, error or ("ok" if result == "0" else result)))
    return found
