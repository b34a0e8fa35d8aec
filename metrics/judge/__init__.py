"""The judge: a model that looks at a video and grades it; an extractor and its metrics."""
