package protocols

const page = ""
