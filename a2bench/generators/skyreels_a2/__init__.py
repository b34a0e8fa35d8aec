"""SkyReels-A2 (arXiv 2504.02436), an elements-to-video model of 14 billion parameters.

The networks are those of diffusers and transformers. What is here is how the references condition
them (section 2.2 of the paper), where the weights come from, and what the cost is.
"""
