"""The words people may have meant: every word of titles and brands, with how many products carry it."""

from typing import Final

REBUILD: Final = """
    INSERT INTO search_words (word, products)
    SELECT word, ndoc
    FROM ts_stat('SELECT to_tsvector(''simple'', title || '' '' || brand) FROM products')
    WHERE length(word) BETWEEN 3 AND 40 AND word ~ '^[[:alpha:]]+$'
"""
"""Numbers and single letters are left out: there is nothing to mend in them."""
CLEAR: Final = "DELETE FROM search_words"
