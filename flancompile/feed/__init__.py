"""Feed batches of a build, as a pure function of the step; numpy only."""

from flancompile.feed.feed import Feed, FeedState, open

__all__ = ["Feed", "FeedState", "open"]
