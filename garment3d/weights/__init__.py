"""The official model files: what they are and may be used for, where they lie, and their download when asked for.

Looking around reads folders only; nothing here reaches the network but `download`.
"""

from .fetch import download as download
from .identity import identify as identify
from .search import ModelFolders as ModelFolders
from .search import find as find
from .search import hub_cache as hub_cache
from .search import model_folders as model_folders
from .table import OFFICIAL as OFFICIAL
from .table import Part as Part
from .table import WeightFile as WeightFile
from .table import menu_line as menu_line
from .table import official as official
from .table import place as place
from .table import size_text as size_text
