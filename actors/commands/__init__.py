"""One command of the command line a file; each hands a function to `main`."""
