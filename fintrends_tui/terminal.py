"""Running the screen in a terminal that may be taken away at any time."""

import asyncio
import signal

from fintrends_tui.app import FintrendsApp


def run_app(app: FintrendsApp) -> int:
    """Run the screen until it is left; the exit status.

    A dropped terminal (SIGHUP) detaches, a SIGTERM quits as the key does. Textual restores the terminal only when its
    event loop ends by itself, so both have to go through the app.
    """

    async def main() -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, lambda: app.call_later(app.action_detach))
        loop.add_signal_handler(signal.SIGTERM, lambda: app.call_later(app.action_quit))
        reason = await app.run_async()
        if reason == "detach":
            print("detached; the pipeline runs on. `fintrends-tui` attaches again, `fintrends-tui stop` stops it.")
        return app.return_code or 0

    return asyncio.run(main())
