"""The environment of the benchmarks: a network namespace for each run, an origin, a proxy, and the
costs of the proxy's processes. What is measured is decided elsewhere.

The calling process becomes the reaper of all processes of a proxy, so that the CPU time of
processes that have ended is known too.
"""
import ctypes
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

CLONE_NEWNET = 0x40000000
PR_SET_CHILD_SUBREAPER = 36
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1

PROXY_PORT = 8080
METRICS_PORT = 9100
ORIGIN_PORTS = (9001, 9002)
HELLO_NAME = "a.b"

unverified = ssl.create_default_context()
unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE

libc = ctypes.CDLL(None, use_errno=True)


def checked(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def become_root():
    """Without root, executes the program again as root of a new user namespace."""
    if os.geteuid() != 0:
        os.execvp("unshare", ["unshare", "-rn", sys.executable, *sys.argv])


def become_reaper():
    checked(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def sysctl(name, value=None):
    path = "/proc/sys/" + name.replace(".", "/")
    if value is None:
        with open(path) as file:
            return " ".join(file.read().split())
    with open(path, "w") as file:
        file.write(value)
    return value


def fresh_network():
    """Moves this process and its later children into a new network namespace: no port is in use,
    and no connection of an earlier run is in TIME_WAIT. Congestion control and buffer sizes are
    those of the host; the range of local ports is wider."""
    congestion = sysctl("net.ipv4.tcp_congestion_control")
    checked(libc.unshare(CLONE_NEWNET), "unshare: a network namespace")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(s, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))
    sysctl("net.ipv4.ip_local_port_range", "10000 65535")
    if sysctl("net.ipv4.tcp_congestion_control") != congestion:
        sysctl("net.ipv4.tcp_congestion_control", congestion)


def time_waits():
    """The number of connections in TIME_WAIT in this network namespace."""
    with open("/proc/net/sockstat") as file:
        return int(re.search(r"^TCP:.* tw (\d+)", file.read(), re.M)[1])


# Processes and their costs

def stat_of(pid):
    """The fields of /proc/PID/stat from the state on, or None if the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def descendants(root):
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = stat_of(name)
            if stat:
                children.setdefault(int(stat[1]), []).append((int(name), stat[0]))
    found, todo = [], [root]
    while todo:
        for pid, state in children.get(todo.pop(), []):
            found.append((pid, state))
            todo.append(pid)
    return found


def cpu_clock(pid):
    """CPU time of a process in seconds, including threads that have ended."""
    return time.clock_gettime((~pid << 3) | 2)


def anonymous_memory(pids):
    """The sums of RssAnon and of Pss of the processes, in bytes."""
    anonymous = pss = 0
    for pid in pids:
        with open(f"/proc/{pid}/status") as file:
            anonymous += int(re.search(r"RssAnon:\s+(\d+)", file.read())[1]) * 1024
        with open(f"/proc/{pid}/smaps_rollup") as file:
            pss += int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M)[1]) * 1024
    return anonymous, pss


def thread_cpu(pids):
    """CPU time of each thread of the processes, in nanoseconds."""
    times = {}
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                times[thread] = int(file.read().split()[0])
    return times


def worker_cpu(pid):
    """CPU time of the workers of rpproxy in seconds: of its threads but the first and those that
    have a name of their own."""
    spent = 0
    for thread, time_spent in thread_cpu([pid]).items():
        with open(f"/proc/{pid}/task/{thread}/comm") as file:
            if int(thread) != pid and file.read().strip() == "rpproxy":
                spent += time_spent
    return spent / 1e9


def metrics_connection():
    return http.client.HTTPConnection("127.0.0.1", METRICS_PORT)


def scrape(connection):
    connection.request("GET", "/metrics")
    return connection.getresponse().read()


class Observers:
    """Scrapes the metrics 100 times a second, keeps a status page open, and runs `rpproxy top`, as
    long as the context lasts. Afterwards cpu is the CPU time in seconds that all of these took
    themselves, outside the proxy."""
    INTERVAL = .01

    def __init__(self, bench):
        self.bench = bench
        self.scrapes = 0

    def __enter__(self):
        self.ends = threading.Event()
        self.page = socket.create_connection(("127.0.0.1", METRICS_PORT))
        self.page.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.threads = [threading.Thread(target=self.scrape), threading.Thread(target=self.read)]
        for thread in self.threads:
            thread.start()
        self.top = self.bench.helper(["script", "-qc", f"{self.bench.candidate.binary} top -f "
                                      f"{self.bench.directory}/proxy.ini", "/dev/null"])
        self.cpu = -time.process_time()
        return self

    def scrape(self):
        connection, due = metrics_connection(), time.monotonic()
        while not self.ends.wait(max(due - time.monotonic(), 0)):
            scrape(connection)
            self.scrapes += 1
            due += self.INTERVAL

    def read(self):
        while self.page.recv(65536):
            pass

    def __exit__(self, *_):
        self.ends.set()
        self.page.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        self.page.close()
        self.cpu += time.process_time()
        self.cpu += sum(cpu_clock(pid) for pid, _state in descendants(self.top.pid))
        self.top.kill()


def machine_busy():
    """CPU time of the machine, and CPU time that its host has taken (steal), in seconds."""
    with open("/proc/stat") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    user, nice, system, _idle, _wait, irq, softirq, steal = ticks
    return (user + nice + system + irq + softirq) / 100, steal / 100


def own_cpu():
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


# Proxies

class Candidate:
    servers = 1  # of each backend
    observed = False  # it has a port for metrics and the status page
    tls = False  # TLS of clients ends at the proxy, whose certificate is cert.pem
    by_name = False  # clients are routed by the server name that they ask for, or refused

    def settle(self, lab):
        """Waits until the first reload is possible."""

    def addresses(self, port):
        """Of the servers. A backend with several has each on an address of its own."""
        if self.servers == 1:
            return [f"127.0.0.1:{port}"]
        return [f"127.1.{i >> 8}.{i & 255}:{port}" for i in range(self.servers)]


class Rpproxy(Candidate):
    name = "rpproxy"
    global_lines = ""
    frontend_lines = ""
    bind_words = ""

    def __init__(self, binary, threads):
        self.binary = binary
        self.threads = threads

    def version(self):
        return subprocess.run([self.binary, "--version"], capture_output=True,
                              text=True).stdout.splitlines()[0]

    def write(self, directory, origin_port, frontends):
        with open(f"{directory}/proxy.ini", "w") as file:
            file.write(f"[global]\nworkers = {self.threads}\nlog-level = warning\n"
                       f"control = {directory}/control.sock\n{self.global_lines}")
            if self.observed:
                file.write(f"metrics = 127.0.0.1:{METRICS_PORT}\n")
            for i in range(frontends):
                bind = f"bind = 127.0.0.1:{PROXY_PORT + i}{self.bind_words}\n"
                if self.tls:
                    bind = bind[:-1] + f" tls=yes\ncertificate = {directory}/cert.pem\n"
                if self.by_name:
                    file.write(f"[frontend bench{i}]\n{self.frontend_lines}{bind}"
                               f"route = sni:{HELLO_NAME} bench{i}\nbackend = reject\n"
                               f"[backend bench{i}]\n")
                else:
                    file.write(f"[listen bench{i}]\n{self.frontend_lines}{bind}")
                file.writelines(f"server = origin{j} {address}\n"
                                for j, address in enumerate(self.addresses(origin_port)))

    def command(self, directory):
        return [self.binary, "-f", f"{directory}/proxy.ini"]

    def sessions(self, lab):
        """The number of sessions in a list of all."""
        command = [self.binary, "sessions", "--json", "-f", f"{lab.directory}/proxy.ini"]
        return subprocess.run(command, capture_output=True, check=True).stdout.count(b"\n")

    def reload(self, lab):
        while True:
            done = subprocess.run([self.binary, "reload", "-f", f"{lab.directory}/proxy.ini"],
                                  capture_output=True, text=True)
            if done.returncode == 7:
                # The last handover has not ended: the old process lingers.
                time.sleep(.001)
                continue
            if done.returncode != 0:
                raise RuntimeError(f"rpproxy reload: {done.stderr}")
            return


class RpproxyAgain(Rpproxy):
    """The same as rpproxy: what differs between the two is the error of the measurement."""
    name = "rpproxy-again"


class RpproxyTuned(Rpproxy):
    """For systems whose default congestion control paces. Every kernel has reno."""
    name = "rpproxy-tuned"
    frontend_lines = "congestion = reno\n"


class RpproxyCpu(Rpproxy):
    name = "rpproxy-cpu"
    global_lines = "cpu-affinity = yes\n"
    bind_words = " steer=cpu"


class RpproxyShared(Rpproxy):
    name = "rpproxy-shared"
    bind_words = " accept=shared"


class Haproxy(Candidate):
    """As Debian ships it. A reload starts a new process that binds the same addresses (-sf)."""
    name = "haproxy"
    program = "haproxy"
    global_lines = ""
    defaults_lines = ""

    def __init__(self, threads, sessions_max):
        self.threads = threads
        self.sessions_max = sessions_max

    def version(self):
        return subprocess.run([self.program, "-v"], capture_output=True,
                              text=True).stdout.splitlines()[0]

    def write(self, directory, origin_port, frontends):
        with open(f"{directory}/haproxy.cfg", "w") as file:
            file.write(f"global\n  nbthread {self.threads}\n  maxconn {self.sessions_max}\n"
                       f"  pidfile {directory}/haproxy.pid\n"
                       f"{self.global_lines.format(directory=directory)}"
                       "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n"
                       f"  timeout server 1h\n{self.defaults_lines}")
            for i in range(frontends):
                words = f" ssl crt {directory}/cert.pem" if self.tls else ""
                bind = f"  bind 127.0.0.1:{PROXY_PORT + i}{words}\n"
                if self.by_name:
                    file.write(f"frontend bench{i}\n{bind}  tcp-request inspect-delay 5s\n"
                               "  tcp-request content accept if "
                               f"{{ req_ssl_sni {HELLO_NAME} }}\n"
                               "  tcp-request content reject\n"
                               f"  default_backend bench{i}\nbackend bench{i}\n")
                else:
                    file.write(f"listen bench{i}\n{bind}")
                file.writelines(f"  server origin{j} {address}\n"
                                for j, address in enumerate(self.addresses(origin_port)))

    def command(self, directory):
        return [self.program, "-db", "-f", f"{directory}/haproxy.cfg"]

    def reload(self, lab):
        old = [str(pid) for pid in lab.proxy_pids()]
        lab.spawn_proxy([*self.command(lab.directory), "-sf", *old])


class HaproxyGiven(Haproxy):
    """Built from a source tree (peers.py)."""
    name = "haproxy-given"

    def __init__(self, program, threads, sessions_max):
        super().__init__(threads, sessions_max)
        self.program = program


class HaproxyTuned(Haproxy):
    """With the options for bulk of the manual."""
    name = "haproxy-tuned"
    global_lines = "  tune.bufsize 262144\n"
    defaults_lines = "  option splice-request\n  option splice-response\n"


class HaproxyMaster(Haproxy):
    """Reloads as the manual advises: a master process, and passed listeners. The master must report
    that it is ready before a signal is sent, which would be lost otherwise."""
    name = "haproxy-W"
    global_lines = "  stats socket {directory}/stats.sock expose-fd listeners\n"
    notify = None

    def command(self, directory):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(f"{directory}/notify")
        self.notify.settimeout(30)
        return ["env", f"NOTIFY_SOCKET={directory}/notify", "haproxy", "-Ws", "-db", "-f",
                f"{directory}/haproxy.cfg"]

    def settle(self, lab):
        while b"READY=1" not in self.notify.recv(4096):
            pass

    def reload(self, lab):
        os.kill(lab.main, signal.SIGUSR2)
        self.settle(lab)


class Nginx(Candidate):
    """As Debian ships it: the workers wait on one socket, without accept_mutex since 1.11.3."""
    name = "nginx"
    program = "nginx"
    events_words = ""
    listen_words = ""
    modules = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules")

    def __init__(self, threads, sessions_max):
        self.threads = threads
        self.sessions_max = sessions_max

    def version(self):
        return subprocess.run([self.program, "-v"], capture_output=True, text=True).stderr.strip()

    def write(self, directory, origin_port, frontends):
        module = next((f"{path}/ngx_stream_module.so" for path in self.modules
                       if os.path.exists(f"{path}/ngx_stream_module.so")), None)
        with open(f"{directory}/nginx.conf", "w") as file:
            if module:
                file.write(f"load_module {module};\n")
            file.write(f"user root;\ndaemon off;\nworker_processes {self.threads};\n"
                       f"pid {directory}/nginx.pid;\nerror_log {directory}/error.log;\n"
                       f"events {{ worker_connections {self.sessions_max * 2 + 100}; "
                       f"{self.events_words}}}\n"
                       "stream {\n  proxy_timeout 1h;\n")
            if self.tls:
                file.write(f"  ssl_certificate {directory}/cert.pem;\n"
                           f"  ssl_certificate_key {directory}/cert.pem;\n"
                           "  ssl_protocols TLSv1.2 TLSv1.3;\n")
            file.write("  upstream origins { " + " ".join(
                f"server {address};" for address in self.addresses(origin_port)) + " }\n")
            for i in range(frontends):
                file.write(f"  server {{ listen 127.0.0.1:{PROXY_PORT + i}{self.listen_words}"
                           f"{' ssl' * self.tls}; proxy_pass origins; }}\n")
            file.write("}\n")

    def command(self, directory):
        return [self.program, "-p", directory, "-c", f"{directory}/nginx.conf",
                "-e", f"{directory}/error.log"]

    def reload(self, lab):
        os.kill(lab.main, signal.SIGHUP)


class NginxGiven(Nginx):
    """Built from a source tree, with its stream module inside (peers.py)."""
    name = "nginx-given"
    modules = ()

    def __init__(self, program, threads, sessions_max):
        super().__init__(threads, sessions_max)
        self.program = program


class NginxMutex(Nginx):
    name = "nginx-mutex"
    events_words = "accept_mutex on; "


class NginxReuseport(Nginx):
    name = "nginx-reuseport"
    listen_words = " reuseport"


class Direct(Candidate):
    """Without a proxy: the limit of the machine, the generator and the origin."""
    name = "direct"

    def version(self):
        return ""


# The lab

class Lab:
    """One candidate between the load generator and the origins, in its own network namespace and
    directory. A context manager, which ends all processes and removes all files. The words of
    `wrapper` are put before the candidate's command, with {directory} replaced."""

    def __init__(self, build, candidate, frontends=1, wrapper=()):
        self.build = build
        self.candidate = candidate
        self.frontends = frontends
        self.wrapper = list(wrapper)
        self.helpers = []
        self.ended_cpu = 0
        self.main = None
        self.current = 0

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="rpproxy-bench.")
        try:
            fresh_network()
            self.origins = []
            for i, port in enumerate(ORIGIN_PORTS):
                origin = self.helper([f"{self.build}/bench-origin", str(port), str(i)])
                if not origin.stdout.readline():
                    raise RuntimeError("the origin does not start")
            if isinstance(self.candidate, Direct):
                self.port = ORIGIN_PORTS[0]
            else:
                self.port = PROXY_PORT
                if self.candidate.tls:
                    make_certificate(self.directory)
                self.configure(0)
                wrapper = [word.format(directory=self.directory) for word in self.wrapper]
                self.main = self.spawn_proxy([*wrapper, *self.candidate.command(self.directory)])
                self.wait_for_answer()
                self.candidate.settle(self)
                self.at_rest = len(self.proxy_pids())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.kill_all()
        shutil.rmtree(self.directory, ignore_errors=True)

    def configure(self, origin):
        """Writes the candidate's configuration, with this origin as the server."""
        self.current = origin
        self.candidate.write(self.directory, ORIGIN_PORTS[origin], self.frontends)

    def helper(self, command, **how):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True, **how)
        self.helpers.append(process)
        return process

    def spawn_proxy(self, command):
        with open(f"{self.directory}/log", "a") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        # reap() waits for this process and for its children; Popen must not.
        process.returncode = 0
        return process.pid

    def wait_for_answer(self):
        until = time.monotonic() + 60
        while self.ask() is None:
            self.reap()
            if not self.proxy_pids() or time.monotonic() > until:
                with open(f"{self.directory}/log") as log:
                    raise RuntimeError(f"{self.candidate.name} does not serve: {log.read()}")
            time.sleep(.005)

    def reap(self):
        """Reaps ended processes that are not helpers, and adds their CPU time to ended_cpu."""
        me, helpers = os.getpid(), {helper.pid for helper in self.helpers}
        for pid, state in descendants(me):
            stat = stat_of(pid) if state == b"Z" and pid not in helpers else None
            if stat and int(stat[1]) == me:
                _, _, usage = os.wait4(pid, 0)
                self.ended_cpu += usage.ru_utime + usage.ru_stime

    def proxy_pids(self):
        """The running processes of the candidate, old ones too."""
        helpers = {helper.pid for helper in self.helpers}
        return [pid for pid, state in descendants(os.getpid())
                if state != b"Z" and pid not in helpers]

    def proxy_cpu(self):
        """CPU time of the candidate so far in seconds, including processes that have ended."""
        self.reap()
        total = self.ended_cpu
        for pid in self.proxy_pids():
            stat = stat_of(pid)
            if stat:
                # Children that the process itself has reaped: in ticks, and not in its CPU clock.
                total += cpu_clock(pid) + (int(stat[13]) + int(stat[14])) / 100
        return total

    def kill_all(self):
        for helper in self.helpers:
            helper.kill()
        helpers = {helper.pid for helper in self.helpers}
        while True:
            self.reap()
            # Includes zombies: reap() must see them, because the kernel counts only reaped ones.
            left = [pid for pid, _ in descendants(os.getpid()) if pid not in helpers]
            if not left:
                break
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(.001)
        for helper in self.helpers:
            helper.wait()
            for pipe in (helper.stdin, helper.stdout, helper.stderr):
                if pipe:
                    pipe.close()
        self.helpers = []

    # Load

    def start_load(self, mode, watch=False, **options):
        command = [f"{self.build}/bench-load", mode, str(self.port)]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        pids = self.proxy_pids() if watch else []
        if pids:
            command += ["--cpu-of", ",".join(map(str, pids))]
        return self.helper(command)

    def finish_load(self, load):
        load.stdin.close()
        line = load.stdout.readline()
        if load.wait() != 0 or not line:
            raise RuntimeError(f"bench-load ended with {load.returncode}")
        load.stdout.close()
        self.helpers.remove(load)
        return json.loads(line)

    def load(self, mode, **options):
        """Runs the load generator. Returns its JSON, with the CPU time of the candidate."""
        return self.finish_load(self.start_load(mode, watch=True, **options))

    def stand(self, most=12, **options):
        """Loads until the TIME_WAITs of the network grow no more, or for so many seconds. Returns
        their number."""
        standing = -1
        for _ in range(most):
            self.load("churn", sessions=64, seconds=1, **options)
            before, standing = standing, time_waits()
            if standing < before * 1.02:
                break
        return standing

    def hold(self, sessions, **options):
        """Starts a load that holds this number of verified idle sessions until finish_load()."""
        load = self.start_load("hold", sessions=sessions, timeout=60, **options)
        held = json.loads(load.stdout.readline())["held"]
        if held != sessions:
            raise RuntimeError(f"{self.candidate.name}: {held} of {sessions} sessions are open")
        return load

    def ask(self):
        """Makes one exchange. Returns the name of the origin that answered, or None."""
        with socket.socket() as s:
            s.settimeout(5)
            try:
                s.connect(("127.0.0.1", self.port))
                if self.candidate.tls:
                    s = unverified.wrap_socket(s)
                s.sendall(hello() * self.candidate.by_name + request(1))
                answer = b""
                while len(answer) < 64:
                    more = s.recv(64 - len(answer))
                    if not more:
                        return None
                    answer += more
            except OSError:
                return None
            return struct.unpack_from("=Q", answer, 16)[0]

    def reload(self):
        """Reloads with the other origin in the configuration. Returns the seconds from the command
        until new connections reach only the new origin (20 in a row), and the number of lost
        connections."""
        self.configure(1 - self.current)
        begin = time.monotonic()
        self.candidate.reload(self)
        settled, run, lost = begin, 0, 0
        while run < 20:
            asked = time.monotonic()
            name = self.ask()
            if name is None:
                lost += 1
            if name == self.current:
                if run == 0:
                    settled = time.monotonic()
                run += 1
            else:
                run = 0
            if asked - begin > 30:
                raise RuntimeError(f"{self.candidate.name}: the reload did not end within 30 s")
        self.reap()
        return settled - begin, lost


def hello():
    """The same bytes as message_hello() in wire.c."""
    return (b"\x16\3\1\0\x3b\1\0\0\x37\3\3" + bytes(32) +
            b"\0\0\2\x13\1\1\0\0\x0c\0\0\0\x08\0\6\0\0\3" + HELLO_NAME.encode())


def make_certificate(directory):
    """cert.pem with an ECDSA key of P-256, which every candidate reads from one file."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-noenc", "-subj", f"/CN={HELLO_NAME}", "-keyout",
                    f"{directory}/key.pem", "-out", f"{directory}/cert.pem"], check=True,
                   stderr=subprocess.DEVNULL)
    with open(f"{directory}/key.pem") as key, open(f"{directory}/cert.pem", "a") as cert:
        cert.write(key.read())


def request(number):
    """The same bytes as message_make(OP_REQUEST, number, 0) in wire.c."""
    mask = (1 << 64) - 1

    def scramble(x):
        x = (x + 0x9e3779b97f4a7c15) & mask
        x = ((x ^ (x >> 30)) * 0xbf58476d1ce4e5b9) & mask
        x = ((x ^ (x >> 27)) * 0x94d049bb133111eb) & mask
        return x ^ (x >> 31)

    proof, words = scramble(1) ^ scramble(number), [1, number, 0]
    for _ in range(5):
        proof = scramble(proof)
        words.append(proof)
    return struct.pack("=8Q", *words)


def strace_calls(lab, mode, **options):
    """System calls of the candidate's processes during a load: {name: calls}, and the JSON of the
    load."""
    table = f"{lab.directory}/strace"
    pids = lab.proxy_pids()
    command = ["strace", "-f", "-c", "-U", "calls,name", "-o", table]
    for pid in pids:
        command += ["-p", str(pid)]
    tracer = lab.helper(command, stderr=subprocess.PIPE)
    for _ in pids:
        line = tracer.stderr.readline()
        if "attached" not in line:
            raise RuntimeError(f"strace: {line}")
    result = lab.finish_load(lab.start_load(mode, **options))
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    with open(table) as file:
        calls = {name: int(count) for count, name in re.findall(r"^\s*(\d+) (\w+)$", file.read(),
                                                               re.M) if name != "total"}
    return calls, result
