/* For programs that know gcc for Windows by the name of MinGW: nothing more. */
