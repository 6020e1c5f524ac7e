"""Lists of products: query, filters, facets, sorting, keyset pagination, search and spelling."""
