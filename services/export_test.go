package services

// StartTraced is Start with an exporter in the collector's place.
var StartTraced = start
