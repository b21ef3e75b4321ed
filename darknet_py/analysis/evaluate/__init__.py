"""How good a network is on labelled pictures: Darknet's `detector map`, COCO's numbers, a classifier's accuracy."""
