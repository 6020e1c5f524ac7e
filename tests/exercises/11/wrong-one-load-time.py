def xfetch(fresh_until, load_s, draw, beta):
    return fresh_until - beta * load_s
