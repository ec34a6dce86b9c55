"""DMCA notices: 17 U.S.C. 512(c)(3) and what follows from them."""
