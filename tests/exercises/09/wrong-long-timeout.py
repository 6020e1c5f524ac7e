# supplier.py
def fetch_days(product_id: int) -> int:
    url = f"{current_app.config['SUPPLIER']}/delivery/{product_id}"
    while True:
        try:
            with urlopen(url, timeout=30) as response:  # longer than any client waits
                return int(json.load(response)["days"])
        except OSError as error:
            log.write("supplier_failed", error=type(error).__name__)
            time.sleep(PAUSE_S)
