#!/usr/bin/env python3
"""Drives the status page in Chromium, by the pipe of its developer tools:

  page.py ADDRESS FRONTEND CONFIG BINARY SCREENSHOT

Logs in, compares what the page shows with /metrics, clicks, reloads the proxy meanwhile, also with a
canary, reads the difference of two configurations, opens the page anew, and looks at it as a user who
may not change anything. Exits with 1, and says what is wrong."""

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

PATIENCE = 100


class Browser:
    """Chromium, with one page."""

    def __init__(self, folder):
        to_browser, self.out = os.pipe()
        self.inp, from_browser = os.pipe()
        os.set_inheritable(to_browser, True)
        os.set_inheritable(from_browser, True)
        # Chromium reads from descriptor 3, and writes to 4.
        command = ('exec 3<&%d 4>&%d; exec chromium --headless --no-sandbox --disable-gpu '
                   '--disable-dev-shm-usage --no-first-run --remote-debugging-pipe '
                   '--user-data-dir="$0" about:blank' % (to_browser, from_browser))
        with open(os.path.join(folder, "chromium.err"), "wb") as errors:
            self.process = subprocess.Popen(["bash", "-c", command, os.path.join(folder, "profile")],
                                            pass_fds=(to_browser, from_browser),
                                            stdout=errors, stderr=errors)
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.buffer, self.errors, self.session = 0, b"", [], None
        targets = self.ask("Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(domain + ".enable")

    def hear(self):
        while b"\0" not in self.buffer:
            read = os.read(self.inp, 1 << 20)
            if not read:
                raise SystemExit("Chromium has ended")
            self.buffer += read
        text, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(text)
        kind, params = message.get("method"), message.get("params", {})
        if kind == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params))
        elif kind == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(params["args"]))
        elif kind == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"] + " " + params["entry"].get("url", ""))
        return message

    def ask(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.hear()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit("%s: %s" % (method, answer["error"]))
                return answer["result"]

    def value(self, expression):
        return self.ask("Runtime.evaluate", expression=expression,
                        returnByValue=True)["result"].get("value")

    def wait(self, expression, what):
        until = time.monotonic() + PATIENCE
        while not self.value("!!(%s)" % expression):
            if time.monotonic() > until:
                raise SystemExit("%s: not in %d s; the page says: %s"
                                 % (what, PATIENCE, self.value("document.body.innerText")))
            time.sleep(0.05)

    def click(self, selector):
        """As a user does: the mouse goes to the middle of the element."""
        place = self.value("(() => { const one = document.querySelector(%s); one.scrollIntoView("
                           "{block: 'center', inline: 'center'}); const box = one.getBoundingClientRect();"
                           " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
                           % json.dumps(selector))
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left",
                     clickCount=1)

    def log_in(self, user):
        token = base64.b64encode(user.encode()).decode()
        self.ask("Network.setExtraHTTPHeaders", headers={"Authorization": "Basic " + token})

    def picture(self, path, dark=False, width=1280, height=860):
        self.ask("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=width < 600)
        self.value("scrollTo(0, 0); document.querySelectorAll('.wide').forEach((one) => one.scrollTo(0, 0));"
                   "document.getElementById('note').hidden = true")
        shot = self.ask("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot))

    def end(self):
        self.process.kill()
        self.process.wait()


def metrics(address):
    request = urllib.request.Request("http://%s/metrics" % address)
    request.add_header("Authorization", "Basic " + base64.b64encode(b"root:secret").decode())
    with urllib.request.urlopen(request) as answer:
        lines = answer.read().decode().splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line[0] != "#"}


ROW = "document.querySelector('#servers tr[data-key=\"main/a\"] [data-field=%s]').textContent"
FRONTEND = "document.querySelector('#frontends tr[data-key=main] [data-field=%s]').textContent"
TOTAL = "document.querySelector('#figures [data-field=%s]').textContent"


GROUP = "document.querySelector('#servers tr[data-key=\"/main\"] [data-field=%s]').textContent"
CANARY = "document.querySelector('#canary tr[data-key=%s] [data-field=%s]').textContent"
OF_A = '{backend="main",server="a"}'
HEAD = "document.querySelector('#timeline > li[data-generation=\"%d\"] .badge').textContent"
ITEM = "document.querySelector('#timeline > li[data-generation=\"%d\"]').textContent"


def shown(browser, expression, name, value):
    """A limit follows the number of sessions."""
    wanted = "{:,}".format(int(value))
    browser.wait("%s.split(' ')[0] === %s" % (expression, json.dumps(wanted)), "%s is %s" % (name, wanted))


def compare(browser, address):
    """Nothing goes on but the page itself, so both must show the same soon."""
    now = metrics(address)
    for expression, name in (
            (TOTAL % "sessions", "rpproxy_sessions_total"),
            (TOTAL % "live", "rpproxy_live_sessions"),
            (TOTAL % "connects", "rpproxy_connect_errors_total"),
            (FRONTEND % "all", 'rpproxy_frontend_sessions_total{frontend="main"}'),
            (FRONTEND % "live", 'rpproxy_frontend_live_sessions{frontend="main"}'),
            (ROW % "all", 'rpproxy_server_sessions_total{backend="main",server="a"}'),
            (FRONTEND % "most", 'rpproxy_frontend_most_sessions{frontend="main"}'),
            (FRONTEND % "limit", 'rpproxy_frontend_max_sessions{frontend="main"}'),
            (FRONTEND % "waited", 'rpproxy_frontend_waits_total{frontend="main"}'),
            (GROUP % "all", 'rpproxy_backend_sessions_total{backend="main"}'),
            (GROUP % "live", 'rpproxy_backend_live_sessions{backend="main"}'),
            (GROUP % "retries", 'rpproxy_backend_retries_total{backend="main"}'),
            (GROUP % "waiting", 'rpproxy_backend_waiting_sessions{backend="main"}'),
            (GROUP % "most", 'rpproxy_backend_most_waiting_sessions{backend="main"}'),
            (GROUP % "max", 'rpproxy_backend_max_waiting_sessions{backend="main"}'),
            (ROW.replace("/a", "/spare") % "limit", "rpproxy_server_max_sessions" + OF_A.replace('"a"', '"spare"')),
            (ROW % "most", "rpproxy_server_most_sessions" + OF_A),
            (ROW % "downs", "rpproxy_server_downs_total" + OF_A),
            (ROW % "all", "rpproxy_server_sessions_total" + OF_A),
            (ROW % "live", "rpproxy_server_live_sessions" + OF_A)):
        shown(browser, expression, name, now[name])
    for expression, name in (
            (FRONTEND % "denied", 'rpproxy_frontend_denied_total{frontend="main",'),
            (FRONTEND % "ends", 'rpproxy_frontend_session_ends_total{frontend="main",'),
            (GROUP % "connects", 'rpproxy_backend_connect_failures_total{backend="main",'),
            (ROW % "connects", "rpproxy_server_connect_failures_total" + OF_A[:-1])):
        shown(browser, expression, name, sum(value for key, value in now.items() if key.startswith(name) and
                                             'reason="done"' not in key))


def change_servers(browser, address):
    for what in ("drain", "maint", "ready"):
        browser.click("#servers tr[data-key='main/a'] button[data-set=%s]" % what)
        shown = "unchecked" if what == "ready" else what
        browser.wait("%s === '%s'" % (ROW % "state", shown), "a click on " + what)
    browser.value("window.prompt = () => '7'")
    browser.click("#servers tr[data-key='main/a'] button[data-set=weight]")
    browser.wait("%s === '7'" % (ROW % "weight"), "the weight")
    if metrics(address)['rpproxy_server_weight{backend="main",server="a"}'] != 7:
        raise SystemExit("the page shows a weight that the metrics do not have")


def pauses(browser, address):
    paused = 'rpproxy_frontend_paused{frontend="main"}'
    for what, shown, figure in (("pause", "paused", 1), ("resume", "accepting", 0)):
        browser.click("#frontends tr[data-key='main'] button[data-set=%s]" % what)
        browser.wait("%s.startsWith('%s')" % (FRONTEND % "state", shown), "a click on " + what)
        if metrics(address)[paused] != figure:
            raise SystemExit("%s: the metrics say something else" % what)


def opened(browser, address, generation):
    """A page that knows nothing of before."""
    browser.ask("Page.navigate", url="about:blank")
    browser.ask("Page.navigate", url="http://%s/" % address)
    browser.wait("document.body && document.body.dataset.generation === '%d'" % generation, "the page is live")


def reload(binary, config, *more):
    subprocess.run([binary, "reload", "-f", config, *more], check=True, stdout=subprocess.DEVNULL)


def tells_the_past(browser, address, generation):
    """What happened while no page was open."""
    opened(browser, address, generation)
    browser.wait("document.querySelector('#timeline > li')", "there is a timeline")
    browser.wait(HEAD % 1 + " === 'started'", "the start")
    for number in range(2, generation + 1):
        browser.wait((HEAD % number) + ".startsWith('reloaded in ')", "reload %d" % number)
        browser.wait((ITEM % number) + ".includes('by a command of uid ')", "by whom")
    browser.wait((ITEM % generation) + ".includes('active')", "which one serves")
    browser.wait("document.querySelector('#happened').textContent.includes('main/a')", "the events of servers")


def compares_configurations(browser, config, binary, generation):
    with open(config, "a", encoding="ascii") as file:
        file.write("retries = 7\n")
    reload(binary, config)
    generation += 1
    browser.wait("document.querySelector('#to').value === '%d'" % generation, "the new generation can be chosen")
    browser.value("for (const [id, value] of [['from', 1], ['to', %d]]) { const one = document.getElementById(id);"
                  " one.value = value; one.dispatchEvent(new Event('change')); }" % generation)
    browser.click("#compare")
    browser.wait("!document.querySelector('#diff').hidden", "the difference")
    for kind, line in (("added", "+retries = 7"), ("removed", "-retries = ")):
        browser.wait("[...document.querySelectorAll('#diff .%s')].some((one) => one.textContent.startsWith('%s'))"
                     % (kind, line), line)
    printed = subprocess.run([binary, "history", "-f", config, "--diff", "1", str(generation)], check=True,
                             stdout=subprocess.PIPE, encoding="utf-8").stdout
    shown_lines = browser.value("[...document.querySelectorAll('#diff span')].map((one) => one.textContent)")
    if printed.splitlines() != shown_lines:
        raise SystemExit("the page shows %s and the command prints %s" % (shown_lines, printed))
    return generation


def connect(frontend, count):
    host, port = frontend.split(":")
    return [socket.create_connection((host, int(port))) for _ in range(count)]


def canary(browser, address, frontend, config, binary, click):
    """A canary with sessions on both sides, which ends by a click. Returns the status of the command."""
    command = subprocess.Popen([binary, "reload", "-f", config, "--canary", "50%:1h"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    browser.wait("!document.querySelector('#canary').hidden && document.querySelector('#canary tbody')",
                 "the page shows the canary")
    sides, sessions = ("canary", "predecessor"), []
    series = 'rpproxy_canary_sessions{side="%s"}'
    while not all(metrics(address)[series % side] for side in sides):
        sessions += connect(frontend, 1)
        if len(sessions) > 60:
            raise SystemExit("60 sessions, and all on one side")
    for side in sides:
        shown(browser, CANARY % (side, "sessions"), series % side, metrics(address)[series % side])
    browser.click("#canary button[data-set=%s]" % click)
    status = command.wait(PATIENCE)
    browser.wait("document.querySelector('#canary').hidden", "the canary is over")
    for one in sessions:
        one.close()
    return status


def decides_canaries(browser, address, frontend, config, binary, generation):
    for click, expected in (("promote", 0), ("abort", 4)):
        status = canary(browser, address, frontend, config, binary, click)
        tried = generation + 1
        if status != expected:
            raise SystemExit("%s: the command ended with %d" % (click, status))
        if click == "promote":
            generation = tried
        browser.wait("document.body.dataset.generation === '%d'" % generation, click)
        browser.wait((HEAD % tried) + ".startsWith('%s')" % ("reloaded in" if expected == 0 else "failed, exit 4"),
                     "the timeline has the end of the canary")
        for side in ("canary: ", "predecessor: "):
            browser.wait((ITEM % tried) + ".includes('%s')" % side, "the figures of both sides")
    return generation


def main():
    address, frontend, config, binary, screenshot = sys.argv[1:]
    folder = os.path.dirname(config)
    browser = Browser(tempfile.mkdtemp(dir=folder))
    try:
        browser.log_in("root:secret")
        opened(browser, address, 1)
        compare(browser, address)
        change_servers(browser, address)
        pauses(browser, address)
        reload(binary, config)
        browser.wait("document.body.dataset.generation === '2'", "the page follows the reload")
        browser.wait(HEAD % 2 + ".startsWith('reloaded in')", "the timeline has the reload")
        compare(browser, address)
        browser.click("#servers tr[data-key='main/a'] button[data-set=drain]")
        browser.wait("%s === 'drain'" % (ROW % "state"), "a click after the reload")
        browser.click("#servers tr[data-key='main/a'] button[data-set=ready]")
        browser.wait("%s === 'unchecked'" % (ROW % "state"), "a click on ready")
        tells_the_past(browser, address, 2)
        generation = compares_configurations(browser, config, binary, 2)
        generation = decides_canaries(browser, address, frontend, config, binary, generation)
        browser.picture(screenshot)
        browser.picture(screenshot.replace(".png", "-dark.png"), dark=True)
        browser.picture(screenshot.replace(".png", "-phone.png"), width=390, height=844)
        if browser.value("document.documentElement.scrollWidth > innerWidth"):
            raise SystemExit("the page is wider than a phone")
        if browser.errors:
            raise SystemExit("errors in the console: " + "\n".join(browser.errors))
        browser.log_in("guest:look")
        opened(browser, address, generation)
        browser.wait("document.querySelector('#timeline > li')", "a guest sees what has happened")
        if browser.value("[...document.querySelectorAll('button, select')].some((one) => one.offsetParent)"):
            raise SystemExit("a guest has buttons")
    finally:
        browser.end()


main()
