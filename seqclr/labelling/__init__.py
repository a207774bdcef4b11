"""Labels for images, by hand: a web page on this machine for one person and one keyboard (extra `label`).

`journal` keeps the labels on disk, `images` finds the images, `predictions` predicts them in the background, `session`
holds the state of the web page, `app` answers its requests, and `server` runs it.
"""
