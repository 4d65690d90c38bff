"""Any picture as the style, in one pass: adaptive instance normalization (Huang and Belongie 2017)."""
