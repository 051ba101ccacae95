"""Stand-ins for the widgets of CTK and Slicer, written with PySide6.

A class has the name of the C++ class and declares its properties, signals and slots to Qt.
``pythonqt/names.py`` hides all other attributes from scripts. A second overload of a signal, such
as ``currentNodeChanged(bool)``, is declared as ``currentNodeChangedBool``.
"""

from .collapsible_button import ctkCollapsibleButton
from .message_box import ctkMessageBox
from .mrml_widget import qMRMLWidget, qSlicerWidget
from .node_combo_box import qMRMLNodeComboBox
from .slider_widget import ctkSliderWidget

CTK_WIDGETS = (ctkCollapsibleButton, ctkMessageBox, ctkSliderWidget)
SLICER_WIDGETS = (qMRMLNodeComboBox, qMRMLWidget, qSlicerWidget)
