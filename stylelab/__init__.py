"""StyleLab: neural image style transfer, from first principles to product images."""
