"""Drives the `server` example with a real browser: two pages, one conversation.

    python .ci/browser.py PATH_TO_SERVER_BINARY OUT_DIR

Needs `selenium`, Chromium and its driver; uses no network but loopback. Prints one line for each
check, saves screenshots into OUT_DIR, and exits with 1 if anything failed.
"""

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CHROMEDRIVER = os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver")
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--force-prefers-reduced-motion", "--window-size=1280,860",
]
MIB = 1 << 20
WAIT = 60

# A sunrise, drawn and sent by the page.
PICTURE = """const [done] = arguments, canvas = new OffscreenCanvas(320, 180), it = canvas.getContext('2d');
const sky = it.createLinearGradient(0, 0, 0, 120);
sky.addColorStop(0, '#5d86a8'); sky.addColorStop(0.7, '#f1c9a0'); sky.addColorStop(1, '#f5a868');
it.fillStyle = sky; it.fillRect(0, 0, 320, 120);
it.fillStyle = '#fff2d0'; it.beginPath(); it.arc(222, 118, 26, 0, 7); it.fill();
it.fillStyle = '#2c5a6a'; it.fillRect(0, 118, 320, 62);
it.fillStyle = '#f5c88e90'; for (let y = 124; y < 176; y += 7) it.fillRect(222 - 30 + (y * 7) % 17, y, 44 - (y * 3) % 13, 2);
it.strokeStyle = '#22303a'; it.lineWidth = 3; it.lineCap = 'round'; it.beginPath();
it.moveTo(70, 62); it.quadraticCurveTo(88, 44, 104, 60); it.quadraticCurveTo(122, 42, 142, 56); it.stroke();
canvas.convertToBlob().then(it => { chat.sendBinary(it, 'sunrise.png'); done(); });"""

failures = []


def check(name, passed, detail=""):
    print(f"{'ok  ' if passed else 'FAIL'}  {name}{f'  ({detail})' if detail else ''}", flush=True)
    if not passed:
        failures.append(name)


class Server:
    """The example, on a port that stays the same over restarts."""

    def __init__(self, binary, out):
        self.binary, self.address = binary, "127.0.0.1:0"
        self.log_path = os.path.join(out, "server.log")
        self.log = open(self.log_path, "wb")
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.binary, self.address], stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        self.line = self.process.stdout.readline()
        self.url = self.line.split()[1]
        self.address = self.url.split("/")[2]

    def stop(self):
        self.process.kill()
        self.rest = self.process.communicate()[0]

    def logged(self, text):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return text in log.read()


def eventually(condition, seconds=WAIT):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    return None


class Page:
    """One window of the browser."""

    def __init__(self, driver, handle):
        self.driver, self.handle = driver, handle

    def __enter__(self):
        self.driver.switch_to.window(self.handle)
        return self

    def __exit__(self, *_):
        return False

    def js(self, script, *arguments):
        with self:
            return self.driver.execute_script(script, *arguments)

    def js_async(self, script, *arguments):
        with self:
            return self.driver.execute_async_script(script, *arguments)

    def find(self, selector):
        with self:
            return self.driver.find_element(By.CSS_SELECTOR, selector)

    def keys(self, *keys):
        with self:
            self.driver.switch_to.active_element.send_keys(*keys)

    def state(self):
        return self.js("return chat.state()")

    def me(self):
        return self.js("return chat.me()")

    def log(self, kind):
        """Everything of one kind that the page was told; a blob is not handed out."""
        return self.js(
            "return chat.log.filter(it => it.type === arguments[0])"
            ".map(({blob, ...rest}) => ({...rest}))", kind,
        )

    def last_said(self):
        """Who said what last: the text itself if it is short, its length and hash in any case."""
        return self.js_async(
            """const [done] = arguments;
            const said = chat.log.findLast(it => it.type === 'said');
            if (!said) return done(null);
            crypto.subtle.digest('SHA-256', new TextEncoder().encode(said.text)).then(hash => done({
                id: said.id, length: said.text.length,
                text: said.text.length < 1000 ? said.text : '',
                hash: [...new Uint8Array(hash)].map(b => b.toString(16).padStart(2, '0')).join(''),
            }));"""
        )

    def last_binary(self):
        return self.js_async(
            """const [done] = arguments;
            const it = chat.log.findLast(it => it.type === 'binary');
            if (!it) return done(null);
            it.blob.arrayBuffer().then(data => crypto.subtle.digest('SHA-256', data).then(hash => done({
                id: it.id, name: it.name, announced: it.bytes, length: data.byteLength,
                hash: [...new Uint8Array(hash)].map(b => b.toString(16).padStart(2, '0')).join(''),
            })));"""
        )

    def notices(self):
        return self.js("return [...document.querySelectorAll('.notice')].map(it => it.textContent)")

    def people(self):
        return self.js("return [...document.querySelectorAll('#people li bdi')].map(it => it.textContent)")

    def shot(self, path, width, height, dark=False):
        with self:
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
            metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if width < 600 else 1,
                       "mobile": width < 600}
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            time.sleep(0.3)
            self.js("document.getElementById('log').scrollTop = 1e9")
            time.sleep(0.2)
            self.driver.save_screenshot(path)
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def start(options):
    """Chromium, on the second try if need be: a machine with much else to do may be late at the first."""
    try:
        return webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    except WebDriverException as error:
        print(f"Chromium is started again: {error.msg}", flush=True)
        return webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))


@contextlib.contextmanager
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = start(options)
        try:
            driver.set_script_timeout(240)
            yield driver
        finally:
            driver.quit()


def errors(driver, page):
    with page:
        return [it["message"] for it in driver.get_log("browser") if it["level"] == "SEVERE"]


def check_text(one, two, name, text):
    digest = hashlib.sha256(text.encode()).hexdigest()
    started = time.monotonic()
    one.js("chat.send(arguments[0])", text)
    sender = one.me()

    def there(page):
        said = page.last_said()
        return said and said["hash"] == digest and said["id"] == sender

    check(f"{name} arrives in both pages", eventually(lambda: there(two) and there(one)),
          f"{len(text.encode()):,} bytes, {time.monotonic() - started:.2f} s")


def check_conversation(one, two):
    check_text(one, two, "ASCII", "Hello from the first page!")
    check_text(two, one, "Chinese", "你好，世界！这是一条中文消息。")
    check_text(one, two, "emoji", "🎉👩‍👩‍👧‍👦🏳️‍🌈")
    check_text(two, one, "markup, quotes and every control character",
               "<img src=x onerror=alert(1)> \"'\\" + "".join(map(chr, range(1, 32))) + "\x7f\u2028\ufeff")
    markup = two.js("return document.querySelectorAll('#log img').length + document.querySelectorAll('#log [onerror]').length")
    check("markup of a peer stays text", markup == 0)

    words = "lorem ipsum dolor sit amet – 长文本 🦉 "
    long = (words * (MIB // len(words.encode()) + 1)).encode()[:MIB].decode(errors="ignore").ljust(4)
    long += "." * (MIB - len(long.encode()))
    check_text(one, two, "1 MiB of text", long)
    button = two.find(".entry:last-child .more")
    folded = two.js("return document.querySelector('.entry:last-child .bubble').textContent.length")
    check("a long text is folded", folded < 1000 and button.get_attribute("aria-expanded") == "false",
          button.text)
    with two:
        button.send_keys(Keys.ENTER)
    shown = two.js("return document.querySelector('.entry:last-child .bubble span').textContent")
    check("and unfolded by the keyboard", shown == long)
    with two:
        button.send_keys(Keys.ENTER)

    data = random.Random(6455).randbytes(MIB)
    one.js_async(
        """const [hex, done] = arguments;
        const bytes = new Uint8Array(hex.length / 2);
        for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.substr(2 * i, 2), 16);
        chat.sendBinary(bytes, 'field notes 文件.bin');
        done();""", data.hex())
    expected = {"id": one.me(), "name": "field notes 文件.bin", "announced": MIB, "length": MIB,
                "hash": hashlib.sha256(data).hexdigest()}
    got = eventually(lambda: two.last_binary())
    check("1 MiB of binary arrives byte for byte, with its name", got == expected, got and got["hash"][:16])
    link = two.find(".entry:last-child a[download]")
    check("it is offered as a download with its size", "1.00 MiB" in link.text and
          link.get_attribute("download") == "field notes 文件.bin", link.text.replace("\n", " "))


def check_names(one, two):
    one.js("document.getElementById('name').focus()")
    with one:
        box = one.find("#name")
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys("Ada", Keys.ENTER)
    check("a member renames itself by the keyboard, and the others see it",
          eventually(lambda: "Ada" in two.people()), ", ".join(two.people()))
    check("both pages list both members", eventually(
        lambda: sorted(one.people()) == sorted(two.people()) and len(one.people()) == 2))


def check_keyboard(one, two):
    """From the top of the page to a sent message with nothing but keys."""
    one.js("const top = document.getElementById('app'); top.tabIndex = -1; top.focus()")
    order = []
    for _ in range(12):
        one.keys(Keys.TAB)
        order.append(one.js("return document.activeElement.id"))
        if order[-1] == "text":
            break
    wanted = ["name", "log", "attach", "text"]
    check("Tab leads through name, conversation and attachment to the message",
          [it for it in order if it in wanted] == wanted, " > ".join(filter(None, order)))
    outline = one.js("const s = getComputedStyle(document.querySelector('.box')); return s.boxShadow")
    check("the focus is visible", outline != "none")
    one.keys("Typed, first line", Keys.SHIFT + Keys.ENTER)
    one.keys(Keys.NULL, "second line", Keys.ENTER)
    check("typing and Enter send, Shift + Enter breaks the line",
          eventually(lambda: (two.last_said() or {}).get("text") == "Typed, first line\nsecond line"),
          repr((two.last_said() or {}).get("text")))
    unnamed = one.js(
        "return [...document.querySelectorAll('button, input:not([type=file]), textarea')]"
        ".filter(it => !(it.textContent.trim() || it.ariaLabel || it.labels?.length)).length")
    live = one.js("const it = document.getElementById('log'); return it.role + it.ariaLive")
    check("every control has a name, and the conversation is a live log", unnamed == 0 and live == "logpolite")


def check_echo(one):
    result = one.js_async(
        """const [done] = arguments, socket = new WebSocket(location.origin.replace('http', 'ws') + '/echo', 'echo'), got = [];
        socket.binaryType = 'arraybuffer';
        socket.onopen = () => { socket.send('ping 乒乓'); socket.send(new Uint8Array([0, 255, 7])); };
        socket.onmessage = ({data}) => {
            got.push(typeof data === 'string' ? data : [...new Uint8Array(data)].join());
            if (got.length === 2) socket.close(3000, 'enough');
        };
        socket.onclose = ({code, reason, wasClean}) => done({protocol: socket.protocol, got, code, reason, wasClean});""")
    check("/echo agrees on its subprotocol, echoes text and binary, and the Close", result ==
          {"protocol": "echo", "got": ["ping 乒乓", "0,255,7"], "code": 3000, "reason": "enough", "wasClean": True})
    bare = one.js_async(
        """const [done] = arguments, socket = new WebSocket(location.origin.replace('http', 'ws') + '/echo');
        socket.onopen = () => { done({protocol: socket.protocol}); socket.close(); };""")
    check("a peer that offers no subprotocol is served without", bare == {"protocol": ""})


def check_http(server):
    for path, status in [("", 200), ("nowhere", 404), ("chat", 404)]:
        try:
            answer = urllib.request.urlopen(server.url + path, timeout=WAIT)
        except urllib.error.HTTPError as error:
            answer = error
        check(f"GET /{path} is answered {status}", answer.status == status)


def check_leaving(server, one, two):
    """One page closes with a code of its own; both sides and the log see the same."""
    name = one.js("return chat.members.get(chat.me())")
    left_before = len(two.log("left"))
    one.js("chat.close(4001, arguments[0])", "going to lunch 🍜")
    closed = eventually(lambda: one.log("closed"))
    check("the leaving page's own close event has its code and reason", closed and closed[-1] ==
          {"type": "closed", "code": 4001, "reason": "going to lunch 🍜", "wasClean": True}, str(closed and closed[-1]))
    left = eventually(lambda: two.log("left")[left_before:])
    check("the other page is told the same code and reason", left and
          (left[-1]["code"], left[-1]["reason"]) == (4001, "going to lunch 🍜"), str(left and left[-1]))
    check("and shows it", f"{name} left 4001 going to lunch 🍜" in two.notices()[-1], two.notices()[-1])
    check("the server's log has it", eventually(lambda: server.logged('left: 4001 "going to lunch 🍜"')))
    check("only one is listed now", eventually(lambda: len(two.people()) == 1))
    time.sleep(1.5)
    check("a page that left on purpose stays away", one.state() == "closed", one.find("#state").text)


def main(binary, out):
    os.makedirs(out, exist_ok=True)
    with contextlib.ExitStack() as stack:
        server = Server(binary, out)
        stack.callback(server.stop)
        check("one line says where to point the browser",
              server.line == f"Open {server.url} in a browser\n", server.line.strip())
        check_http(server)

        driver = stack.enter_context(browser())
        driver.get(server.url)
        one = Page(driver, driver.current_window_handle)
        check("the page connects", eventually(lambda: one.state() == "open"))
        time.sleep(2.5)
        one.shot(f"{out}/empty.png", 1280, 860)
        driver.switch_to.new_window("tab")
        driver.get(server.url)
        two = Page(driver, driver.current_window_handle)
        check("a second page joins, and the first is told",
              eventually(lambda: two.state() == "open" and len(one.people()) == 2), ", ".join(one.people()))

        check_names(one, two)
        check_conversation(one, two)
        check_keyboard(one, two)
        check_echo(one)
        trip = eventually(lambda: two.js("const it = document.getElementById('rtt'); return it.checkVisibility() && it.textContent"))
        value = float(trip.split()[0]) if trip else -1
        check("the round trip of a Ping is shown", 0 < value < 10_000, trip)
        check("the console of both pages has no errors", not (found := errors(driver, one) + errors(driver, two)), "; ".join(found))

        for page, text in [(one, "Has anyone seen the osprey over the harbour this morning?"),
                           (two, "Twice, around seven. It took a fish right in front of the ferry."),
                           (two, "The whole list: https://example.org/osprey")]:
            page.js("chat.send(arguments[0])", text)
            time.sleep(0.15)
        two.js_async(PICTURE)
        check("a picture is shown", eventually(lambda: one.js(
            "return document.querySelector('.entry:last-child img')?.naturalWidth === 320")))
        for page, text in [(one, "太好了！明天早上我也去看看。"), (one, "🦅🐟")]:
            page.js("chat.send(arguments[0])", text)
            time.sleep(0.15)
        time.sleep(4)
        one.shot(f"{out}/desktop.png", 1280, 860)
        one.shot(f"{out}/dark.png", 1280, 860, dark=True)
        two.shot(f"{out}/narrow.png", 390, 844)
        two.shot(f"{out}/narrow-dark.png", 390, 844, dark=True)
        wide = two.js("return document.documentElement.scrollWidth <= innerWidth")
        check("nothing is wider than a narrow window", wide)

        check_leaving(server, one, two)
        one.shot(f"{out}/left.png", 1280, 860)

        server.stop()
        check("nothing else was printed", server.rest == "")
        check("the loss of the server is seen", eventually(lambda: two.state() == "waiting"), two.find("#state").text)
        time.sleep(2)
        two.js("document.getElementById('text').focus()")
        two.keys("Said too early", Keys.ENTER)
        kept = two.js("return document.getElementById('text').value")
        check("what is typed meanwhile is kept, and a hint says so",
              kept == "Said too early" and "Not connected" in two.find("#hint").text, two.find("#hint").text)
        two.shot(f"{out}/waiting.png", 1280, 860)
        server.start()
        check("the page comes back by itself when the server does",
              eventually(lambda: two.state() == "open"), two.find("#state").text)
        one.keys(Keys.ENTER)
        check("and the other by its button", eventually(lambda: one.state() == "open"))
        check("under the name that it had", eventually(lambda: "Ada" in two.people()), ", ".join(two.people()))
        two.keys(Keys.ENTER)
        check("what was kept is sent by Enter",
              eventually(lambda: (one.last_said() or {}).get("text") == "Said too early"))
        check_text(one, two, "what is said after that", "back again")
        found = [it for it in errors(driver, one) + errors(driver, two) if "ERR_CONNECTION_REFUSED" not in it]
        check("no errors but for the tries that were refused", not found, "; ".join(found))

    print(f"{len(failures)} failed" if failures else "all passed")
    return 1 if failures else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended all the same
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
