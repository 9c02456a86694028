"""Tables that lie beside the images: particles, coordinates, tilt angles, notes of the microscope."""
