#!/usr/bin/env python3
"""Drives the status page in Chromium, by the pipe of its developer tools:

  page.py ADDRESS CONFIG BINARY SCREENSHOT

Logs in, compares what the page shows with /metrics, clicks, reloads the proxy meanwhile, and looks at
the page as a user who may not change anything. Exits with 1, and says what is wrong."""

import base64
import json
import os
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
        while not self.value(expression):
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
            (ROW % "live", 'rpproxy_server_live_sessions{backend="main",server="a"}')):
        wanted = "{:,}".format(int(now[name]))
        # A limit follows the number of sessions.
        browser.wait("%s.split(' ')[0] === %s" % (expression, json.dumps(wanted)),
                     "%s is %s" % (name, wanted))


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


def main():
    address, config, binary, screenshot = sys.argv[1:]
    folder = os.path.dirname(config)
    browser = Browser(tempfile.mkdtemp(dir=folder))
    try:
        browser.log_in("root:secret")
        browser.ask("Page.navigate", url="http://%s/" % address)
        browser.wait("document.body.dataset.generation === '1'", "the page is live")
        compare(browser, address)
        change_servers(browser, address)
        subprocess.run([binary, "reload", "-f", config], check=True, stdout=subprocess.DEVNULL)
        browser.wait("document.body.dataset.generation === '2'", "the page follows the reload")
        browser.wait("document.querySelector('#timeline').textContent.includes('Reloaded:')",
                     "the timeline has the reload")
        compare(browser, address)
        browser.click("#servers tr[data-key='main/a'] button[data-set=drain]")
        browser.wait("%s === 'drain'" % (ROW % "state"), "a click after the reload")
        browser.click("#servers tr[data-key='main/a'] button[data-set=ready]")
        browser.wait("%s === 'unchecked'" % (ROW % "state"), "a click on ready")
        browser.picture(screenshot)
        browser.picture(screenshot.replace(".png", "-dark.png"), dark=True)
        browser.picture(screenshot.replace(".png", "-phone.png"), width=390, height=844)
        if browser.value("document.documentElement.scrollWidth > innerWidth"):
            raise SystemExit("the page is wider than a phone")
        # A reload ends the stream, which the browser says by itself.
        errors = [one for one in browser.errors if "ERR_INCOMPLETE_CHUNKED" not in one]
        if errors:
            raise SystemExit("errors in the console: " + "\n".join(errors))
        browser.log_in("guest:look")
        browser.ask("Page.navigate", url="http://%s/" % address)
        browser.wait("document.body.dataset.generation === '2'", "the page of a guest is live")
        if browser.value("document.querySelectorAll('button').length"):
            raise SystemExit("a guest has buttons")
    finally:
        browser.end()


main()
