"""`python -m recipes.publish`: see `recipes.publish.weight`."""

import sys

from recipes.publish.weight import main

if __name__ == "__main__":
    sys.exit(main())
