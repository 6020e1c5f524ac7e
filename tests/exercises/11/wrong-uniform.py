def xfetch(fresh_until, load_s, draw, beta):
    window_s = 4 * beta * load_s
    return fresh_until - window_s * (1 - draw)
