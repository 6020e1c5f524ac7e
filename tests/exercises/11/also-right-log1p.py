from math import inf, log1p


class Xfetch:
    def __init__(self, earliest=-inf):
        self.earliest = earliest

    def __call__(self, fresh_until, load_s, draw, beta):
        if draw == 0:
            return self.earliest
        gap = -log1p(draw - 1)
        return max(self.earliest, fresh_until - gap * load_s * beta)


xfetch = Xfetch()
