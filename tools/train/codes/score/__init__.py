"""What finds and reads codes in photos, scored side by side: our network, OpenCV, WeChat's detector, zxing-cpp."""
