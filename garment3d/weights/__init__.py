"""The official model files: what they are and may be used for, where they lie, and their download when asked for.

Looking around reads folders only; nothing here reaches the network but `download`.
"""

from .download import download as download
from .find import ModelFolders as ModelFolders
from .find import find as find
from .find import hub_cache as hub_cache
from .find import model_folders as model_folders
from .identify import identify as identify
from .table import OFFICIAL as OFFICIAL
from .table import Part as Part
from .table import WeightFile as WeightFile
from .table import menu_line as menu_line
from .table import official as official
from .table import place as place
from .table import size_text as size_text
