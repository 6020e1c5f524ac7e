"""The lab: experiments on a running store, judged from outside, over HTTP only."""
