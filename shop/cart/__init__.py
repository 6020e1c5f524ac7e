"""What a shopper means to buy: for guests and accounts, merged at log-in."""
