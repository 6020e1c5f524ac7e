"""``python -m shop.cli``: the ``shop`` command of this very interpreter."""

from shop.cli import main

main()
