import subprocess
import sys


def test_nothing_heavy_is_imported_before_the_first_paint() -> None:
    heavy = "{'pandas', 'numpy', 'talib', 'aiokafka', 'motor', 'httpx'}"
    program = (
        f"import sys, fintrends_tui.app, fintrends_tui.screens.dashboard; print(sorted({heavy} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
