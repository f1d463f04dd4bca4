#!/usr/bin/python3
"""Tries one server of servers.ini, inside a throw-away host: /mnt holds libreuse.so, libreuse,
servers.ini and this file. Each phase runs in namespaces of its own; what it saw goes to
/mnt/PHASE.json, one JSON object.

A phase starts the server, talks to it, stops it while a connection is open (so that its side
closes first and keeps the port in TIME_WAIT), and starts it again at once.

Usage: try.py NAME PHASE   native, shim, occupied-native, occupied-shim; native ones with -again, too
"""
import configparser
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

FIRST_START_SECONDS = 40
GIVE_UP_SECONDS = 12  # a restart that has not got its port by then has failed
STOP_SECONDS = 15
OCCUPIED_SECONDS = 6
LOG = "/var/log/libreuse/reports"
LISTEN, TIME_WAIT = "0A", "06"


def sockets_on(port, state):
    """How many TCP sockets of this namespace have that local port and state."""
    count = 0
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as lines:
            for line in list(lines)[1:]:
                field = line.split()
                count += field[3] == state and int(field[1].split(":")[1], 16) == port
    return count


def until(seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def normal(text):
    """Words without what differs from run to run anyway: numbers, months and days."""
    text = re.sub(r"(?i)\b(mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b",
                  "D", text)
    text = re.sub(r"/tmp/[\w.-]+", "T", text)
    text = re.sub(r"<[^>]*>|'[^']*'|(?i:[0-9a-f]{2}(:[0-9a-f]{2})+)", "<>", text)
    text = re.sub(r"(?i)0x[0-9a-f]+|\b[0-9a-f]{8,}\b", "N", text)
    return re.sub(r"\d+", "N", text)


class Server:
    def __init__(self, name):
        table = configparser.ConfigParser(interpolation=None)
        table.read("/mnt/servers.ini")
        self.name = name
        self.port = table.getint(name, "port")
        self.command = table.get(name, "run")
        if not re.search(r"\bexec\b|;", self.command):
            self.command = re.sub(r"^((?:\w+=\S+ )*)", r"\1exec ", self.command)
        self.chat = table.get(name, "chat", fallback="none")
        self.stop_signal = signal.Signals["SIG" + table.get(name, "stop", fallback="TERM")]
        self.preparation = table.get(name, "prepare", fallback=":")
        self.process = self.words = None
        try:
            with open("/mnt/native.json") as native:  # how long it takes to start
                self.patience = OCCUPIED_SECONDS + 2 * json.load(native)["seconds"]
        except (OSError, KeyError):
            self.patience = OCCUPIED_SECONDS

    def start(self, shim):
        environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/games")
        if shim:
            environment |= {"LD_PRELOAD": "/mnt/libreuse.so", "LIBREUSE_LOG": LOG}
        self.words = open(f"/tmp/words.{time.monotonic_ns()}", "w+")
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", self.command], stdin=subprocess.DEVNULL, stdout=self.words,
            stderr=subprocess.STDOUT, env=environment, start_new_session=True, cwd="/")

    def said(self):
        self.words.seek(0)
        return self.words.read()

    def serves(self, seconds):
        """'serves', 'exits' or 'silent': it runs, but does not listen on its port."""
        until(seconds, lambda: sockets_on(self.port, LISTEN) or self.process.poll() is not None)
        if sockets_on(self.port, LISTEN):
            return "serves"
        return "silent" if self.process.poll() is None else "exits"

    def connect(self):
        for host in ("127.0.0.1", "::1"):
            try:
                return socket.create_connection((host, self.port), 5)
            except OSError:
                continue
        return None

    def talk(self):
        """A connection that stays open, and what was answered."""
        connection = self.connect()
        if connection is None:
            return None, "cannot be reached"
        if self.chat == "none":
            return connection, "accepted"
        if self.chat == "http":
            request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        else:
            request = b"" if self.chat == "banner" else self.chat.encode().decode("unicode_escape").encode()
        connection.settimeout(10)
        answer = b""
        try:
            connection.sendall(request)
            answer = connection.recv(4096)
            connection.settimeout(0.3)
            while len(answer) < 65536 and (more := connection.recv(4096)):
                answer += more
        except TimeoutError:
            pass  # it has said all that it had to say
        except OSError as error:
            return connection, f"no answer: {error}"
        if re.search(rb"[\x00-\x08\x0e-\x1f]", answer):
            return connection, f"{len(answer)} bytes"
        answer = answer.decode("latin-1")
        # Of a web page the first line is enough: cookies and dates come after it.
        return connection, normal(answer.split("\r\n")[0][:200]) if answer else "closed"

    def stop(self):
        """Stops it as an operator does; how many sockets it leaves in TIME_WAIT, and its status."""
        connection, _ = self.talk()
        time.sleep(0.2)  # what has not been accepted yet is reset, not closed
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        status = self.process.returncode
        until(3, lambda: not sockets_on(self.port, LISTEN))
        if connection:
            connection.close()
        until(0.5, lambda: sockets_on(self.port, TIME_WAIT))
        return sockets_on(self.port, TIME_WAIT), status


def command(*arguments):
    done = subprocess.run(["/mnt/libreuse", *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def audit_verdicts(port):
    _, out, _ = command("audit", "--json")
    rows = json.loads(out)["listeners"]
    return sorted({row["verdict"] for row in rows if row["port"] == port})


def library_in(pid):
    try:
        with open(f"/proc/{pid}/maps") as maps:
            return "libreuse.so" in maps.read()
    except OSError:
        return False


def preload_was_kept(pid):
    """False where a wrapper has emptied the environment (postfix does)."""
    try:
        with open(f"/proc/{pid}/environ") as environment:
            return "LD_PRELOAD=" in environment.read()
    except OSError:
        return False


def listening_pid(port):
    _, out, _ = command("audit", "--json")
    for row in json.loads(out)["listeners"]:
        if row["port"] == port:
            return row["pid"]
    return None


def restarts(server, shim, how_often):
    """The life of a server: start, talk, stop with a connection open, start again, ..."""
    result = {"starts": [], "answers": [], "remains": [], "statuses": []}
    server.start(shim)
    seconds = time.monotonic()
    first = server.serves(FIRST_START_SECONDS)
    seconds = time.monotonic() - seconds
    result["starts"].append(first)
    result["seconds"] = seconds
    if first != "serves":
        result["words"] = server.said()[-2000:]
        return result
    time.sleep(0.3)
    connection, answer = server.talk()
    result["answers"].append(answer)
    result["verdicts"] = audit_verdicts(server.port)
    pid = listening_pid(server.port)
    if pid:
        program = os.path.realpath(f"/proc/{pid}/exe")
        status, out, _ = command("check", "--json", program)
        result["program"] = program
        result["check says reached"] = status == 0
        result["check"] = json.loads(out).get("verdict") if out else None
        result["library is in it"] = library_in(pid)
        result["preload was kept"] = preload_was_kept(pid)
        status, out, _ = command("check", "--json", str(pid))
        result["check of the process"] = json.loads(out).get("verdict") if out else None
    if connection:
        connection.close()
    for _ in range(how_often):
        remains, status = server.stop()
        result["remains"].append(remains)
        result["statuses"].append(status)
        result.setdefault("first words", normal(server.said()))
        server.start(shim)
        state = server.serves(GIVE_UP_SECONDS + 3 * seconds)
        result["starts"].append(state)
        if state != "serves":
            result["words"] = server.said()[-2000:]
            break
        time.sleep(0.3)
        connection, answer = server.talk()
        result["answers"].append(answer)
        if connection:
            connection.close()
    return result


def occupied(server, shim):
    """Somebody else listens on the port, with SO_REUSEADDR as most do."""
    holders = []
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        holder = socket.socket(family)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        holder.bind((address, server.port))
        holder.listen(5)
        holders.append(holder)
    server.start(shim)
    until(server.patience, lambda: server.process.poll() is not None)
    return {"status": server.process.poll(), "words": normal(server.said()), "holder": os.getpid()}


def reports():
    try:
        with open(LOG) as log:
            return log.read().splitlines()
    except OSError:
        return []


def run_phase(name, phase):
    server = Server(name)
    shim = phase.endswith("shim")
    if phase.startswith("occupied"):
        result = occupied(server, shim)
    else:
        result = restarts(server, shim, 3 if shim else 1)
    result["reports"] = reports()
    with open(f"/mnt/{phase}.json", "w") as out:
        json.dump(result, out, indent=1)


def main(name, phase):
    """Prepares the host, and runs the phase in namespaces of its own."""
    os.makedirs("/var/log/libreuse")
    with open(LOG, "w"):
        os.chmod(LOG, 0o666)
    subprocess.run(["/bin/sh", "-c", Server(name).preparation], stdin=subprocess.DEVNULL)
    os.execvp("unshare", ["unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "/bin/sh", "-c",
                          f"ip link set lo up; exec python3 /mnt/try.py {name} {phase} inside"])


if __name__ == "__main__":
    if sys.argv[3:] == ["inside"]:
        run_phase(sys.argv[1], sys.argv[2])
    else:
        main(sys.argv[1], sys.argv[2])
