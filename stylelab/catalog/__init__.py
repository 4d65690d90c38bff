"""Product pictures for a shop: where the product is, scenes around it, rules, provenance, and a whole catalog at once.

The product's own pixels are never touched: a style goes around them (``product``), a mask says where they are
(``masks``), and what was done stands in the file and beside it (``provenance``). ``pipeline`` does it for a catalog.
Nothing here imports TensorFlow, OpenCV or pandas before it is needed.
"""
