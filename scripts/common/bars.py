"""Progress bars of the commands: tqdm without its monitor.

A bar whose reader has left, as in `2>&1 | head`, keeps tqdm's lock. The thread of the monitor would wait for it for
ever, and the command for that thread; so would a second thread that updates a bar.
"""

from tqdm import tqdm as tqdm

tqdm.monitor_interval = 0
