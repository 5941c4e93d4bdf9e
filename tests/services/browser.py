"""Chromium behind a socket: JSON lines in, JSON lines out, a tab of its own for each connection.

Writes the socket's port to a file once the browser runs. Nothing outside of this machine can be
reached from a tab: names do not resolve, but every request is written down, so that a test can say
that none was made.
"""

import argparse
import asyncio
import functools
import json
import pathlib
import sys

import axe_playwright_python
from PIL import Image
from playwright.async_api import Error, async_playwright

# How long the browser waits for anything, in milliseconds: a debug build answers slowly.
PATIENCE_MS = 30_000
# What a tab remembers of each kind: messages, requests, dialogs.
KEPT_MAX = 10_000
# Places that are named of each rule that a page breaks.
PLACES_MAX = 5
# Colours of a picture.
COLOURS = 256
# Bytes of a command.
LINE_BYTES_MAX = 4 * 1024 * 1024
AXE = pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js"
ARGUMENTS = [
    "--disable-gpu",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    # Only addresses of this machine are reached.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
]


class Tab:
    """A page in a context of its own, with what it did."""

    def __init__(self, context, page):
        self.context, self.page = context, page
        self.console, self.errors, self.dialogs, self.requests, self.popups = [], [], [], [], []
        page.on("console", lambda it: keep(self.console, {"kind": it.type, "text": it.text}))
        page.on("pageerror", lambda it: keep(self.errors, str(it)))
        page.on("dialog", lambda it: asyncio.ensure_future(self.dismiss(it)))
        page.on("popup", lambda it: keep(self.popups, it.url))
        context.on("request", lambda it: keep(self.requests, it.url))

    async def dismiss(self, dialog):
        # A question before leaving is one too.
        keep(self.dialogs, dialog.message)
        await dialog.dismiss()

    async def do(self, ask):
        """The answer to one command."""
        page, op = self.page, ask["op"]
        first = page.locator(ask["selector"]).first if "selector" in ask else None
        match op:
            case "goto":
                answer = await page.goto(ask["url"], wait_until="load")
                if answer is None:
                    return {"status": 0, "headers": {}}
                return {"status": answer.status, "headers": await answer.all_headers()}
            case "follow":
                async with page.expect_navigation(wait_until="load"):
                    await first.click()
            case "fill":
                await first.fill(ask["text"])
            case "choose":
                await first.select_option(ask["text"])
            case "press":
                await page.keyboard.press(ask["key"])
            case "press_and_follow":
                async with page.expect_navigation(wait_until="load"):
                    await page.keyboard.press(ask["key"])
            case "text":
                return await first.inner_text()
            case "texts":
                return await page.locator(ask["selector"]).all_inner_texts()
            case "count":
                return await page.locator(ask["selector"]).count()
            case "attribute":
                return await first.get_attribute(ask["name"])
            case "evaluate":
                return await page.evaluate(ask["script"])
            case "wait":
                await first.wait_for(state="visible")
            case "url":
                return page.url
            case "viewport":
                await page.set_viewport_size({"width": ask["width"], "height": ask["height"]})
            case "colour_scheme":
                await page.emulate_media(color_scheme=ask["scheme"], reduced_motion="reduce")
            case "screenshot":
                await page.evaluate("() => document.fonts.ready.then(() => true)")
                await page.screenshot(path=ask["path"], animations="disabled", scale="css")
                # Text needs no more colours, and a third of the bytes.
                picture = Image.open(ask["path"]).convert("RGB").quantize(COLOURS)
                picture.save(ask["path"], optimize=True)
            case "axe":
                return await self.axe()
            case "log":
                return {
                    "console": self.console,
                    "errors": self.errors,
                    "dialogs": self.dialogs,
                    "requests": self.requests,
                    "popups": self.popups,
                }
            case _:
                raise ValueError(f"there is no command {op!r}")
        return None

    async def axe(self):
        """What the accessibility checker finds: rule, impact, and the places."""
        if not await self.page.evaluate("() => 'axe' in window"):
            await self.page.evaluate(f"() => {{ {AXE.read_text()}\n }}")
        found = await self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return {
            "version": found["testEngine"]["version"],
            "passes": len(found["passes"]),
            "violations": [
                {
                    "rule": it["id"],
                    "impact": it["impact"] or "",
                    "places": [place(node) for node in it["nodes"][:PLACES_MAX]],
                }
                for it in found["violations"]
            ],
        }


def place(node):
    return f"{node['target']} {node['html'][:200]} {node.get('failureSummary', '')}"


def keep(kept, what):
    if len(kept) < KEPT_MAX:
        kept.append(what)


async def serve(browser, reader, writer):
    """Does what a connection asks, one command after the other; its tab goes with it."""
    tab = None
    try:
        while line := await reader.readline():
            ask = json.loads(line)
            try:
                if ask["op"] == "open":
                    context = await browser.new_context(
                        bypass_csp=ask["bypass_csp"],
                        locale="en-GB",
                        timezone_id="UTC",
                        viewport={"width": 1280, "height": 900},
                        reduced_motion="reduce",
                    )
                    context.set_default_timeout(PATIENCE_MS)
                    tab = Tab(context, await context.new_page())
                    answer = {"answer": browser.version}
                else:
                    answer = {"answer": await tab.do(ask)}
            except (Error, ValueError, KeyError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        if tab is not None:
            await tab.context.close()
        writer.close()


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", required=True)
    parser.add_argument("--port-file", type=pathlib.Path, required=True)
    parser.add_argument("--no-sandbox", action="store_true", help="root cannot have one")
    asked = parser.parse_args()
    arguments = ARGUMENTS + (["--no-sandbox"] if asked.no_sandbox else [])
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=asked.chromium, args=arguments, chromium_sandbox=not asked.no_sandbox
        )
        browser.on("disconnected", lambda _: sys.exit("the browser has ended"))
        answer = functools.partial(serve, browser)
        server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=LINE_BYTES_MAX)
        port = server.sockets[0].getsockname()[1]
        partial = asked.port_file.with_suffix(".partial")
        partial.write_text(f"{port} {browser.version}")
        partial.rename(asked.port_file)
        await server.serve_forever()


asyncio.run(main())
