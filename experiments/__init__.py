"""The experiments behind the documentation's tables; `README.md` says how they are run and kept."""
