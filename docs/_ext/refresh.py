"""Write the generated parts of the pages anew: `python docs/_ext/refresh.py`."""

from surefoot_docs import DOCS, refresh

if __name__ == "__main__":
    for path in refresh():
        print(f"refreshed {path.relative_to(DOCS.parent)}")
