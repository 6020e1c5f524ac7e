"""The lab console: the page and the API that set switches, parameters and faults. Only in the lab profile."""
