"""Another pack's nodes, in a package named like ours and like a module of ComfyUI."""


class Neighbour:
    CATEGORY = "neighbour"
    FUNCTION = "run"
    RETURN_TYPES = ("STRING",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def run(self):
        return ("here",)


NODE_CLASS_MAPPINGS = {"Neighbour": Neighbour}
