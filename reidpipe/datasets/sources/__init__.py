"""Where a data set comes from: folders and archives read as trees of files, urls, checksums."""
