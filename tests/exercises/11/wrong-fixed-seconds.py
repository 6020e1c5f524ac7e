LEAD_S = 1.0


def xfetch(fresh_until, load_s, draw, beta):
    return fresh_until - LEAD_S
