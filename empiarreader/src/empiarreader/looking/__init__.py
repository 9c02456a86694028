"""Looking at images before they are downloaded: pictures, power spectra and contact sheets."""
