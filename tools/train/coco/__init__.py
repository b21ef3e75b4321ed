"""The training of the 80 classes of COCO, for whoever has its pictures and a GPU."""
