"""`python -m recipes.publish`: see `recipes.publish.weight`."""

from recipes.publish.weight import main

if __name__ == "__main__":
    raise SystemExit(main())
