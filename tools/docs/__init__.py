"""Reference pages and the man page, made from the code, so that nothing is written twice."""

from pathlib import Path


def write_reference(root: Path) -> None:
    """Write the reference pages and drawings into `docs/reference`, which is not kept in the repository."""
    from tools.docs.commands_page import commands_page
    from tools.docs.layout_drawing import layout_drawing
    from tools.docs.messages_page import messages_page
    from tools.docs.settings_page import settings_page

    target = root / "docs" / "reference"
    target.mkdir(exist_ok=True)
    pages = {
        "settings.md": settings_page(root / "config.toml"),
        "messages.md": messages_page(),
        "commands.md": commands_page(),
        "pipeline.svg": layout_drawing(root, "pipeline"),
        "fintrends_tui.svg": layout_drawing(root, "fintrends_tui"),
    }
    for name, text in pages.items():
        page = target / name
        if not page.exists() or page.read_text("utf-8") != text:  # Sphinx reads again what has a newer date
            page.write_text(text, "utf-8")
