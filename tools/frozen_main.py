"""Start Handlens in the folder that build.spec makes: the same program for the window and the command line."""

from __future__ import annotations

import multiprocessing

if __name__ == "__main__":
    # First: a child process has its own work, and must load neither the command line nor the window for it.
    multiprocessing.freeze_support()

    from desktop.__main__ import main

    main()
